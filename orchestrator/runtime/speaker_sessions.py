"""Metrics about what others run for the speaker: the daemons' sessions (contract 6.4, 6.5) and the supervisor's children."""

from collections.abc import Callable, Collection, Iterable, Mapping

from orchestrator.fsm.bgp_sessions import BfdSession, BgpSession, SessionKey
from orchestrator.fsm.supervision import Phase
from orchestrator.fsm.supervisor_api import ChildReport
from orchestrator.observe.metrics import Metrics, Name

SESSION_METRICS: Mapping[Name, Callable[[BgpSession], float]] = {
    Name.BGP_UP: lambda session: session.established,
    Name.BGP_PREFIXES: lambda session: session.prefixes_sent,
    Name.BGP_UPDATES: lambda session: session.messages.updates_sent,
    Name.BGP_UPDATES_RECEIVED: lambda session: session.messages.updates_received,
    Name.BGP_OPENS_SENT: lambda session: session.messages.opens_sent,
    Name.BGP_OPENS_RECEIVED: lambda session: session.messages.opens_received,
    Name.BGP_NOTIFICATIONS: lambda session: session.messages.notifications_sent,
    Name.BGP_KEEPALIVES_SENT: lambda session: session.messages.keepalives_sent,
    Name.BGP_KEEPALIVES_RECEIVED: lambda session: session.messages.keepalives_received,
    Name.BGP_REFRESH_SENT: lambda session: session.messages.route_refresh_sent,
    Name.BGP_SENT: lambda session: session.messages.total_sent,
    Name.BGP_RECEIVED: lambda session: session.messages.total_received,
}
BFD_METRICS: Mapping[Name, Callable[[BfdSession], float]] = {
    Name.BFD_UP: lambda session: session.up,
    Name.BFD_CONTROL_IN: lambda session: session.control_input,
    Name.BFD_CONTROL_OUT: lambda session: session.control_output,
    Name.BFD_ECHO_IN: lambda session: session.echo_input,
    Name.BFD_ECHO_OUT: lambda session: session.echo_output,
    Name.BFD_UP_EVENTS: lambda session: session.up_events,
    Name.BFD_DOWN_EVENTS: lambda session: session.down_events,
    Name.BFD_ZEBRA: lambda session: session.zebra_notifications,
}


def expose_sessions(metrics: Metrics, sessions: Collection[BgpSession], pending: Mapping[SessionKey, int]) -> None:
    """Replace all series about BGP sessions; the label `peer` is the neighbor's address or interface.

    `pending` are the prefixes that each should have.
    """
    for name, value_of in SESSION_METRICS.items():
        metrics.replace(name, {each.key: float(value_of(each)) for each in sessions})
    metrics.replace(Name.BGP_PENDING, {key: float(count) for key, count in pending.items()})


def expose_bfd(metrics: Metrics, sessions: Collection[BfdSession]) -> None:
    """Replace all series about BFD sessions; the label `peer` is the peer's address."""
    for name, value_of in BFD_METRICS.items():
        metrics.replace(name, {(each.peer, each.vrf): float(value_of(each)) for each in sessions})


def expose_children(metrics: Metrics, children: Iterable[ChildReport]) -> None:
    """Replace the series about the supervisor's children."""
    reports = tuple(children)
    ready: dict[tuple[str, ...], float] = {(child.name,): float(child.state is Phase.READY) for child in reports}
    restarts: dict[tuple[str, ...], float] = {(child.name,): float(child.restarts) for child in reports}
    metrics.replace(Name.CHILD_UP, ready)
    metrics.replace(Name.CHILD_RESTARTS, restarts)
