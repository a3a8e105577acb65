"""The speaker's side of layer 2: what the responder shall do, and which nodes live.

A table is made from the plan, the other nodes' SpeakerStates and the heartbeat key; it is sent when it differs from the
last one. Which nodes are candidates comes from the responders' heartbeats and from who says that it is draining.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from orchestrator.apply.layer2 import Disconnected, ResponderClient, ResponderEvent
from orchestrator.config.model import NodeName
from orchestrator.decide.node_plan import Layer2Address, layer2_in_order
from orchestrator.fsm.liveness import NodeState
from orchestrator.fsm.responder_api import Counters, Entry, LinkReport, Links, Liveness, PeerNode, Table
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.resources.extensions import SpeakerInterface, SpeakerState
from orchestrator.resources.secret_text import SecretText
from orchestrator.settings import SpeakerSettings


class Layer2:
    """Keeps the responder fed and knows what it reported."""

    def __init__(self, settings: SpeakerSettings, metrics: Metrics, post: Callable[[ResponderEvent], None]) -> None:
        self.client = ResponderClient(settings.run.responder_socket, post)
        self.links: tuple[LinkReport, ...] = ()
        self._settings = settings
        self._metrics = metrics
        self._liveness: Liveness | None = None
        self._table = Table(number=0, node=settings.node, port=settings.mesh_port, hold_s=settings.return_hold_s)
        self._counted: dict[Name, dict[str, int]] = {Name.REQUESTS: {}, Name.RESPONSES: {}, Name.GRATUITOUS: {}}

    @property
    def held(self) -> tuple[str, ...]:
        """The addresses of the table in force, as text."""
        return tuple(entry.address for entry in self._table.entries)

    def candidates(self, speakers: Mapping[NodeName, SpeakerState]) -> frozenset[NodeName]:
        """Nodes that may own addresses: they have a speaker that does not drain, and a responder that lives.

        A node of which the responder has not reported yet counts as alive (unknown is not dead): a node that took
        itself for the only one, because its responder had heard of no other, would remove the others' statuses.
        """
        willing = {node for node, state in speakers.items() if not state.spec.draining} | {self._settings.node}
        if self._liveness is None:
            return frozenset(willing)
        unknown = {peer.node for peer in self._peers(speakers)} - self._liveness.states.keys()
        return frozenset(willing & (unknown | {*self._liveness.alive}))

    def took(self, event: ResponderEvent) -> None:
        """Take in what the responder reported."""
        match event:
            case Liveness():
                self._liveness = event
                states: dict[tuple[str, ...], float] = {
                    (node,): float(state is NodeState.UP) for node, state in event.states.items()
                }
                self._metrics.replace(Name.ALIVE, states)
            case Links(interfaces):
                self.links = interfaces
            case Counters():
                self._count(event)
            case Disconnected():
                self.links = ()
            case _:
                pass

    def update(
        self, entries: Iterable[Layer2Address], speakers: Mapping[NodeName, SpeakerState], key: SecretText
    ) -> bool:
        """Send the responder its table if that changed; whether it did."""
        table = msgspec.structs.replace(
            self._table,
            entries=tuple(Entry(str(entry.address), entry.interfaces) for entry in layer2_in_order(entries)),
            peers=self._peers(speakers),
            key_base64=key,
        )
        if table == self._table and table.number > 0:
            return False
        self._table = msgspec.structs.replace(table, number=table.number + 1)
        self.client.send(self._table)
        return True

    def interfaces(self) -> tuple[SpeakerInterface, ...]:
        """The links for our SpeakerState: those that may answer, with their addresses."""
        return tuple(
            SpeakerInterface(
                name=link.name,
                mac=link.mac,
                carrier=link.carrier,
                prefixes=link.prefixes,
            )
            for link in self.links
            if link.eligibility.value == "eligible"
        )

    def _peers(self, speakers: Mapping[NodeName, SpeakerState]) -> tuple[PeerNode, ...]:
        others = sorted((node, state) for node, state in speakers.items() if node != self._settings.node)
        return tuple(PeerNode(node, state.spec.mesh_addresses) for node, state in others if state.spec.mesh_addresses)

    def _count(self, counters: Counters) -> None:
        for each in counters.addresses:
            for name, amount in (
                (Name.REQUESTS, each.requests),
                (Name.RESPONSES, each.responses),
                (Name.GRATUITOUS, each.gratuitous),
            ):
                total = self._counted[name].get(each.address, 0) + amount
                self._counted[name][each.address] = total
                self._metrics.set(name, total, ip=each.address)
        for reason, amount in counters.drops.items():
            self._metrics.add(Name.DROPS, amount, reason=reason)
