"""Who writes, and how much: the figures of design.md 6."""

from dataclasses import dataclass

from orchestrator.fsm.letters import Allowance, Limits, Urgency

MOST_BEHIND = 2000
"""Of so many Services ServiceBGPStatus is written; of more it would be news of half an hour ago."""
SIDE_BY_SIDE = 16
"""As many requests as keep one API server busy from one client: more only wait for each other there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """A component on a node (empty for the controller), in a pod whose name may be unknown.

    `behind_per_s` bounds what grows with Services times nodes (ServiceBGPStatus, nodeAssigned of BGP), which stops
    altogether while that of more than `most_behind` Services waits: it would be news of half an hour ago. An object that
    is refused is tried again after `refusal_s` seconds, then ever more rarely.
    """

    component: str
    node: str
    namespace: str
    pod: str
    behind_per_s: float = 5.0
    most_behind: int = MOST_BEHIND
    refusal_s: float = 30.0

    @property
    def manager(self) -> str:
        """The field manager."""
        return f"ferrule-{self.component.removeprefix('metallb-')}"

    @property
    def instance(self) -> str:
        """Who reports events."""
        return self.pod or self.node or self.component

    @property
    def most_waiting_behind(self) -> int:
        """A Service has a status and an event there."""
        return 2 * self.most_behind

    @property
    def limits(self) -> Limits:
        """What one process may ask of the API server; what traffic depends on always finds a connection."""
        urgent = Allowance(per_s=1000, burst=1000, side_by_side=SIDE_BY_SIDE)
        behind = Allowance(
            per_s=self.behind_per_s, burst=5, side_by_side=1, most_waiting=self.most_waiting_behind
        )  # fmt: skip
        return Limits(
            side_by_side=SIDE_BY_SIDE,
            first_refusal_s=self.refusal_s,
            allowances={
                Urgency.WITHDRAWAL: urgent,
                Urgency.ADDRESS: urgent,
                Urgency.OWNER: urgent,
                Urgency.SUMMARY: Allowance(per_s=20, burst=20, side_by_side=2),
                Urgency.EVENT: Allowance(per_s=50, burst=100, side_by_side=4),
                Urgency.REMARK: Allowance(per_s=50, burst=50, side_by_side=1),
                Urgency.BEHIND: behind,
            },
        )
