"""Metrics about what others run for the speaker: bgpd's sessions (contract 6.4, 6.5) and the supervisor's children."""

from collections.abc import Callable, Iterable, Mapping

from orchestrator.apply.frr_sessions import BgpSession
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


def expose_sessions(metrics: Metrics, sessions: Iterable[BgpSession]) -> None:
    """Replace all series about BGP sessions; the label `peer` is the neighbor's address or interface."""
    present = tuple(sessions)
    for name, value_of in SESSION_METRICS.items():
        metrics.replace(name, {(each.neighbor, each.vrf): float(value_of(each)) for each in present})


def expose_children(metrics: Metrics, children: Iterable[ChildReport]) -> None:
    """Replace the series about the supervisor's children."""
    reports = tuple(children)
    ready: dict[tuple[str, ...], float] = {(child.name,): float(child.state is Phase.READY) for child in reports}
    restarts: dict[tuple[str, ...], float] = {(child.name,): float(child.restarts) for child in reports}
    metrics.replace(Name.CHILD_UP, ready)
    metrics.replace(Name.CHILD_RESTARTS, restarts)
