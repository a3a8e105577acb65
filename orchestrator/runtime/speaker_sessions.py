"""Metrics about what others run for the speaker: bgpd's sessions (contract 6.4, 6.5) and the supervisor's children."""

from collections.abc import Iterable

from orchestrator.apply.frr_sessions import BgpSession
from orchestrator.fsm.supervision import Phase
from orchestrator.fsm.supervisor_api import ChildReport
from orchestrator.observe.metrics import Metrics, Name


def expose_sessions(metrics: Metrics, sessions: Iterable[BgpSession]) -> None:
    """Replace all series about BGP sessions; the label `peer` is the neighbor's address or interface."""
    series: dict[Name, dict[tuple[str, ...], float]] = {}
    for session in sessions:
        count = session.messages
        for name, value in (
            (Name.BGP_UP, float(session.established)),
            (Name.BGP_PREFIXES, session.prefixes_sent),
            (Name.BGP_UPDATES, count.updates_sent),
            (Name.BGP_UPDATES_RECEIVED, count.updates_received),
            (Name.BGP_OPENS_SENT, count.opens_sent),
            (Name.BGP_OPENS_RECEIVED, count.opens_received),
            (Name.BGP_NOTIFICATIONS, count.notifications_sent),
            (Name.BGP_KEEPALIVES_SENT, count.keepalives_sent),
            (Name.BGP_KEEPALIVES_RECEIVED, count.keepalives_received),
            (Name.BGP_REFRESH_SENT, count.route_refresh_sent),
            (Name.BGP_SENT, count.total_sent),
            (Name.BGP_RECEIVED, count.total_received),
        ):
            series.setdefault(name, {})[(session.neighbor, session.vrf)] = float(value)
    for name in SESSION_METRICS:
        metrics.replace(name, series.get(name, {}))


SESSION_METRICS = (
    Name.BGP_UP,
    Name.BGP_PREFIXES,
    Name.BGP_UPDATES,
    Name.BGP_UPDATES_RECEIVED,
    Name.BGP_OPENS_SENT,
    Name.BGP_OPENS_RECEIVED,
    Name.BGP_NOTIFICATIONS,
    Name.BGP_KEEPALIVES_SENT,
    Name.BGP_KEEPALIVES_RECEIVED,
    Name.BGP_REFRESH_SENT,
    Name.BGP_SENT,
    Name.BGP_RECEIVED,
)


def expose_children(metrics: Metrics, children: Iterable[ChildReport]) -> None:
    """Replace the series about the supervisor's children."""
    reports = tuple(children)
    ready: dict[tuple[str, ...], float] = {(child.name,): float(child.state is Phase.READY) for child in reports}
    restarts: dict[tuple[str, ...], float] = {(child.name,): float(child.restarts) for child in reports}
    metrics.replace(Name.CHILD_UP, ready)
    metrics.replace(Name.CHILD_RESTARTS, restarts)
