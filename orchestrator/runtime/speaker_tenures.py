"""The tenures of all layer-2 addresses of a node: what the plan wants and the responder says, address by address.

It follows the plan by what changed in it, and tells of each change of owner and of each conflict once: a log line and
a count. What to do about an address is `fsm.tenure`'s to say.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from math import inf

import structlog

from orchestrator.config.model import NodeName
from orchestrator.decide.eligibility import Occupied
from orchestrator.decide.node_plan import GroupPlan, Layer2Address
from orchestrator.fsm import tenure
from orchestrator.fsm.responder_api import Claimed, Entry, Probed, Released, Silent
from orchestrator.fsm.tenure import Past, Rival, Stage, Tenure, Verdict
from orchestrator.net.addresses import IpAddress, address_key, parse_address
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.resources.extensions import AddressConflict

log = structlog.get_logger()

PastOf = Callable[[IpAddress, NodeName], Past]
"""What is known of an address that the plan gives to this node; the name is of the node that had it by the last plan."""


class Tenures:
    """One node's tenures. One task owns it."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._tenures: dict[IpAddress, Tenure] = {}
        self._entries: dict[IpAddress, Entry] = {}
        self._table: tuple[Entry, ...] | None = ()
        self._elsewhere: dict[IpAddress, NodeName] = {}
        self._contested: set[IpAddress] = set()
        self._timed: set[IpAddress] = set()
        self._off_air: set[IpAddress] = set()
        self._held: set[IpAddress] = set()
        self._used: set[IpAddress] = set()
        self._moves: list[tuple[str, IpAddress, NodeName, str]] = []
        self._told: Mapping[str, AddressConflict] = {}
        self._before: dict[IpAddress, AddressConflict] = {}

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The lines of the responder's table."""
        if self._table is None:
            self._table = tuple(self._entries.values())
        return self._table

    @property
    def held(self) -> AbstractSet[IpAddress]:
        """The addresses that this node owns and answers for; follows later changes."""
        return self._held

    @property
    def used(self) -> AbstractSet[IpAddress]:
        """The addresses that this node has owned since its speaker started; follows later changes."""
        return self._used

    @property
    def off_air(self) -> frozenset[IpAddress]:
        """Addresses in the table that are not answered for: somebody else may have them."""
        return frozenset(self._off_air)

    @property
    def occupied(self) -> Mapping[IpAddress, Occupied]:
        """What the plan must leave to others."""
        found = ((address, tenure.occupied(self._tenures[address])) for address in self._contested)
        return {address: each for address, each in found if each is not None}

    @property
    def conflicts(self) -> tuple[AddressConflict, ...]:
        """For our SpeakerState."""
        ordered = sorted(self._contested, key=address_key)
        found = (tenure.conflict(str(address), self._tenures[address]) for address in ordered)
        return tuple(each for each in found if each is not None)

    @property
    def deadline(self) -> float:
        """When `pass_time` has something to do, in monotonic seconds; infinite if never."""
        return min((tenure.next_change(self._tenures[address]) for address in self._timed), default=inf)

    def remember(self, conflicts: Iterable[AddressConflict]) -> None:
        """Take over the conflicts that this node's speaker had before it was restarted: they are known to the world."""
        known = tuple(conflicts)
        self._before = {parse_address(each.address): each for each in known}
        self._told = {each.address: each for each in known}

    def forget_use(self, known: AbstractSet[str]) -> None:
        """Forget that addresses were used which no Service has any more: strangers may have them now."""
        self._used = {address for address in self._used if str(address) in known}

    def heard(self, event: Probed | Silent | Released, now: float) -> None:
        """Take in what the responder found out about an address."""
        address = parse_address(event.address)
        held = self._tenures.get(address)
        if held is None:
            return
        match event:
            case Probed(mac="", interface=_):
                self._put(address, tenure.probed(held, None), "free")
            case Probed(mac=mac, interface=interface):
                self._put(address, tenure.probed(held, Rival(mac=mac, interface=interface, last=now)), "in use")
            case Silent():
                self._put(address, tenure.silent(held), "its owner on the wire fell silent")
            case Released():
                self._put(address, tenure.released(held), "released")

    def claimed(self, event: Claimed, verdict: Verdict, now: float) -> None:
        """Take in that somebody else says that it has an address of ours."""
        address = parse_address(event.address)
        rival = Rival(mac=event.mac, interface=event.interface, node=event.node, last=now)
        if (held := self._tenures.get(address)) is not None:
            self._put(address, tenure.claimed(held, rival, verdict), f"yielded to {event.node or event.mac}")

    def end_yield(self, address: IpAddress) -> None:
        """Take an address back that its rival does not want: it is heard again, and owns nothing."""
        self._put(address, tenure.silent(self._tenures[address]), "its owner stands by")

    def responder_lost(self) -> None:
        """A responder that starts anew has nothing to release."""
        for address in tuple(self._timed):
            self._put(address, tenure.released(self._tenures[address]), "the responder is gone")

    def pass_time(self, now: float) -> None:
        for address in tuple(self._timed):
            self._put(address, tenure.pass_time(self._tenures[address], now), "nobody took it over within the limit")

    def follow(
        self,
        rounds: Iterable[Collection[tuple[GroupPlan, GroupPlan]]],
        planned: Mapping[IpAddress, Layer2Address],
        withheld: frozenset[IpAddress],
        past_of: PastOf,
        now: float,
    ) -> None:
        """Bring the addresses of changed groups to what is planned now; in one round it may move between groups.

        `withheld` are those that the plan would give to this node if nobody else had them on the wire.
        """
        previously: dict[IpAddress, NodeName] = {}
        touched = set(self._contested)
        for groups in rounds:
            for before, _ in groups:
                for each in before.elsewhere:
                    previously.setdefault(each.address, self._elsewhere.pop(each.address, each.node))
            for pair in groups:
                for part in pair:
                    touched.update(entry.address for entry in part.layer2)
                    touched.update(entry.address for entry in part.elsewhere)
                self._elsewhere.update((each.address, each.node) for each in pair[1].elsewhere)
        for address in sorted(touched, key=address_key):
            if (entry := planned.get(address)) is not None:
                self._wanted(entry, lambda each: past_of(each, previously.get(each, "")), now)
            elif address not in withheld:
                self._unwanted(address, now)
        self._before.clear()

    def tell(self) -> tuple[AddressConflict, ...]:
        """Log and count what changed since the last time; return the conflicts that are new.

        Asked after the table was sent: of 1000 addresses that change their owner, each has its line.
        """
        for direction, address, node, reason in self._moves:
            self._metrics.add(Name.OWNER_CHANGES, direction=direction)
            log.info("owner changed", change=direction, address=str(address), node=node, reason=reason)
        self._moves.clear()
        return self._tell_conflicts()

    def _tell_conflicts(self) -> tuple[AddressConflict, ...]:
        present = {each.address: each for each in self.conflicts}
        fresh = tuple(each for address, each in present.items() if self._told.get(address) != each)
        for each in fresh:
            kind = "duplicate" if each.action == "refused" else "node" if each.node else "stranger"
            self._metrics.add(Name.CONFLICTS, kind=kind)
            log.warning(
                "address conflict",
                address=each.address,
                mac=each.mac,
                interface=each.interface,
                node=each.node,
                reason=each.action,
            )
        for address in sorted(self._told.keys() - present.keys()):
            log.info("address conflict is over", address=address, mac=self._told[address].mac)
        if present != self._told:
            actions = [each.action for each in present.values()]
            self._metrics.replace(Name.CONFLICTS_OPEN, {(each,): float(actions.count(each)) for each in set(actions)})
        self._told = present
        return fresh

    def _wanted(self, entry: Layer2Address, past_of: Callable[[IpAddress], Past], now: float) -> None:
        address, interfaces = entry.address, entry.interfaces
        if (held := self._tenures.get(address)) is not None:
            self._put(address, tenure.wanted(held, interfaces), "elected")
        elif (earlier := self._before.pop(address, None)) is not None:
            self._put(address, tenure.restored(earlier, interfaces, now), "as before the restart")
        else:
            self._put(address, tenure.begun(interfaces, past_of(address)), "elected")

    def _unwanted(self, address: IpAddress, now: float) -> None:
        node = self._elsewhere.get(address)
        if node is None:
            self._put(address, None, "withdrawn")
        else:
            self._put(address, tenure.elsewhere(self._tenures.get(address), now), "another node was elected", node)

    def _put(self, address: IpAddress, after: Tenure | None, reason: str, node: NodeName = "") -> None:
        """Keep the new tenure of an address; `node` is who has it now, if that is another."""
        before = self._tenures.pop(address, None)
        if after is not None:
            self._tenures[address] = after
        if after == before:
            return
        for members, belongs in (
            (self._contested, after is not None and after.rival is not None),
            (self._timed, after is not None and tenure.next_change(after) < inf),
            (self._held, after is not None and after.stage is Stage.HELD),
            (self._off_air, after is not None and after.stage not in {Stage.HELD, Stage.RELEASING}),
        ):
            (members.add if belongs else members.discard)(address)
        if address in self._held:
            self._used.add(address)
        self._place_entry(address, after)
        self._note_owner(address, before, after, reason, node)

    def _place_entry(self, address: IpAddress, after: Tenure | None) -> None:
        entry = None if after is None else tenure.entry(str(address), after)
        if entry != self._entries.get(address):
            self._table = None
            self._entries.pop(address, None)
            if entry is not None:
                self._entries[address] = entry

    def _note_owner(
        self, address: IpAddress, before: Tenure | None, after: Tenure | None, reason: str, node: NodeName
    ) -> None:
        had, has = (each is not None and each.stage is Stage.HELD for each in (before, after))
        if has and not had and after is not None and after.previous:
            self._moves.append(("gained", address, after.previous, reason))
        if had and not has and after is not None:
            heir = node or (after.rival.node if after.rival else "")
            self._moves.append(("lost", address, heir, reason))
