"""All addresses of the table, each in its phase (`fsm.phases`), and what is to be done about them now.

Choices. A claim by a node of ours is no obstacle to first use: it is told to give the address away. Probes of others
are not seen as claims; a stranger who probes when we do hears our announcement, or our answer. A node of ours that
claims an address in our first second is its old owner (unless the order names another) that answers our announcement:
no conflict, and no successor. Later on, an owner that heard its successor before it was ordered to release need not
wait to hear it again.

Nobody's answer counts as silence only if somebody was asked: an address that no interface can ask for now waits for the
next order or change of links.

Work is bounded: so many asks and announcements per wake-up, so many wake-ups per second; see `inquiry` for verdicts and
`contests` for reports. Only an order looks at all addresses.
"""

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from orchestrator.fsm.contests import Contests, Speaker
from orchestrator.fsm.inquiry import Inquiry
from orchestrator.fsm.membership import Role
from orchestrator.fsm.pacing import Agenda
from orchestrator.fsm.phases import (
    ANSWERING,
    IN_SILENCE,
    LISTENING,
    RELEASE_LIMIT_S,
    RHYTHMS,
    Phase,
    effective_mode,
    ordered_phase,
)
from orchestrator.fsm.responder import Claim, Interfaces, WireOrders
from orchestrator.fsm.responder_api import Claimed, Entry, Mode, Probed, Released, Silent
from orchestrator.net.link import MacAddress

HANDOVER_S = 1.0
"""How long claims of a node of ours are the echo of a handover."""
WAKE_UP_INTERVAL_S = 0.005
ASKS_PER_WAKE_UP = 64
ANNOUNCEMENTS_PER_WAKE_UP = 32
"""Twice as much work each as an ask: two frames."""

Message = Claimed | Probed | Released | Silent


@dataclass(slots=True, kw_only=True)
class _Holding:
    """`claim` is the one that led to the phase; while ANSWERED, the last of a node of ours, heard at `claimed_at`."""

    entry: Entry
    mode: Mode | None = None
    phase: Phase = Phase.RESTING
    since: float
    claim: Claim | None = None
    claimed_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """What is to be done now. `released` are no longer answered; `changed`: more than that has changed on the wire."""

    messages: tuple[Message, ...] = ()
    asks: tuple[bytes, ...] = ()
    announcements: tuple[bytes, ...] = ()
    released: frozenset[bytes] = frozenset()
    changed: bool = False


class Holdings:
    """Follows orders, claims and time (monotonic seconds); after each call `pass_time` says what is to be done."""

    def __init__(self) -> None:
        self._holdings: dict[bytes, _Holding] = {}
        self._nodes: Mapping[MacAddress, str] = {}
        self._predecessors: dict[bytes, str] = {}
        self._inquiry = Inquiry()
        self._contests = Contests()
        self._announcements = Agenda()
        self._awake_at = 0.0
        self._messages: list[Message] = []
        self._released: set[bytes] = set()
        self._changed = False

    def order(self, entries: Mapping[bytes, Entry], nodes: Mapping[MacAddress, str], role: Role, now: float) -> None:
        """Follow the whole table in this role; what is so already is left alone. `nodes` are the peers' MACs."""
        self._nodes = nodes
        for address in self._holdings.keys() - entries.keys():
            self._drop(address)
        modes = {mode: effective_mode(mode, role) for mode in Mode}
        for address, entry in entries.items():
            self._order(address, entry, modes[entry.mode], now)

        self._inquiry.resume(now)

    def could_not_ask(self, addresses: Iterable[bytes]) -> None:
        """No interface could carry the question for these; it is put again after the next order."""
        for address in addresses:
            self._inquiry.suspend(address)

    def hear(self, claims: Iterable[Claim], speaker: Speaker, now: float) -> None:
        """Others say that they have these addresses."""
        for claim in claims:
            holding = self._holdings.get(claim.address)
            if holding is not None:
                self._hear(claim, holding, speaker, now)

    def defend(self, addresses: Iterable[bytes], now: float) -> None:
        """Announce those that are answered for: the speaker found that they are ours."""
        for address in addresses:
            holding = self._holdings.get(address)
            if holding is not None and holding.phase is Phase.ANSWERED and self._contests.may_defend(address, now):
                holding.claim = None
                self._announcements.plan(address, now)

    def pass_time(self, now: float) -> Actions:
        """Return what is to be done at `now`: what time brings, and what the calls since the last time left."""
        for address in self._inquiry.silences_due(now):
            self._enter(address, IN_SILENCE[self._holdings[address].phase], now)
        asks, announcements = self._due(now)
        actions = Actions(
            messages=tuple(self._messages),
            asks=asks,
            announcements=announcements,
            released=frozenset(self._released),
            changed=self._changed,
        )
        self._messages, self._released, self._changed = [], set(), False
        return actions

    def next_at(self) -> float | None:
        """Return when time brings something next."""
        paced = (self._inquiry.next_ask_at(), self._announcements.next_at())
        times = [max(at, self._awake_at) for at in paced if at is not None]
        silence_at = self._inquiry.next_silence_at()
        return min(times if silence_at is None else [*times, silence_at], default=None)

    def tell_again(self) -> None:
        """Leave every outcome, in place of the messages that wait: a speaker that has just come knows none."""
        self._messages.clear()
        for address in self._holdings:
            self._tell(address)

    def wire_orders(self, excluded: re.Pattern[str] | None) -> WireOrders:
        """Return what the wire is to do about all addresses, on interfaces whose names do not match."""
        holdings = self._holdings.items()
        return WireOrders(
            answered=self._places(ANSWERING),
            quiet=frozenset(address for address, holding in holdings if holding.phase is Phase.RELEASING),
            watched=self._places(LISTENING),
            excluded=excluded,
        )

    def is_answering(self) -> bool:
        """Whether any address is answered for."""
        return any(holding.phase in ANSWERING for holding in self._holdings.values())

    def predecessor(self, address: bytes) -> str:
        """Return, once per order that names one, the node that had this address before; empty if there is none."""
        return self._predecessors.pop(address, "")

    def _places(self, phases: AbstractSet[Phase]) -> Mapping[bytes, Interfaces]:
        return {
            address: holding.entry.interfaces for address, holding in self._holdings.items() if holding.phase in phases
        }

    def _order(self, address: bytes, entry: Entry, mode: Mode | None, now: float) -> None:
        holding = self._holdings.get(address)
        if holding is None:
            holding = self._add(address, entry, now)
        before, holding.entry = holding.entry, entry
        if before == entry and holding.mode is mode:
            return
        if entry.previous != before.previous:
            self._predecessors[address] = entry.previous
        self._changed |= entry.interfaces != before.interfaces
        is_news, holding.mode = holding.mode is not mode, mode
        phase = ordered_phase(mode, holding.phase)
        if phase is not holding.phase:
            self._obey(address, holding, phase, now)
        elif is_news:
            self._tell(address)

    def _add(self, address: bytes, entry: Entry, now: float) -> _Holding:
        holding = self._holdings[address] = _Holding(entry=entry, since=now)
        if entry.previous:
            self._predecessors[address] = entry.previous
        return holding

    def _obey(self, address: bytes, holding: _Holding, phase: Phase, now: float) -> None:
        successor = holding.claim if holding.phase is Phase.ANSWERED else None
        if phase is Phase.RELEASING and successor is not None and now - holding.claimed_at < RELEASE_LIMIT_S:
            self._enter(address, Phase.RELEASED, now, successor)
        else:
            self._enter(address, phase, now)

    def _drop(self, address: bytes) -> None:
        self._inquiry.end(address)
        self._announcements.cancel(address)
        self._predecessors.pop(address, None)
        del self._holdings[address]
        self._changed = True

    def _enter(self, address: bytes, phase: Phase, now: float, claim: Claim | None = None) -> None:
        holding = self._holdings[address]
        before, holding.phase, holding.since, holding.claim = holding.phase, phase, now, claim
        self._announcements.cancel(address)
        if phase in RHYTHMS:
            self._inquiry.begin(address, RHYTHMS[phase], now)
        else:
            self._inquiry.end(address)
        if before is Phase.RELEASING and phase is Phase.RELEASED:
            self._released.add(address)
        else:
            self._changed = True
        self._tell(address)

    def _tell(self, address: bytes) -> None:
        """Leave the message about the outcome of an order, if this phase is one."""
        holding = self._holdings[address]
        text = holding.entry.address
        mac, interface = (str(holding.claim.mac), holding.claim.interface) if holding.claim else ("", "")
        match holding.mode, holding.phase:
            case Mode.PROBE, Phase.ANSWERED:
                self._messages.append(Probed(address=text))
            case Mode.PROBE, Phase.OCCUPIED:
                self._messages.append(Probed(address=text, interface=interface, mac=mac))
            case Mode.RELEASE, Phase.RELEASED:
                self._messages.append(Released(address=text, owner_mac=mac))
            case Mode.WATCH, Phase.SILENT:
                self._messages.append(Silent(address=text))
            case _:
                pass

    def _hear(self, claim: Claim, holding: _Holding, speaker: Speaker, now: float) -> None:
        node = self._nodes.get(claim.mac, "")
        match holding.phase:
            case Phase.ANSWERED:
                self._contest(claim, holding, node, speaker, now)
            case Phase.RELEASING:
                self._enter(claim.address, Phase.RELEASED, now, claim)
            case Phase.PROBING if not node:
                self._enter(claim.address, Phase.OCCUPIED, now, claim)
            case Phase.OCCUPIED if not node:
                self._note_occupant(claim, holding, now)
                self._inquiry.answered(claim.address, now)
            case Phase.WATCHED:
                self._inquiry.answered(claim.address, now)
            case Phase.SILENT:
                self._enter(claim.address, Phase.WATCHED, now, claim)
            case _:
                pass

    def _contest(self, claim: Claim, holding: _Holding, node: str, speaker: Speaker, now: float) -> None:
        """Report and defend an address of ours."""
        if node == (holding.entry.previous or node) and node and now - holding.since < HANDOVER_S:
            return
        if node:
            holding.claim, holding.claimed_at = claim, now
        if self._contests.is_reported(claim, now):
            mac, interface = str(claim.mac), claim.interface
            self._messages.append(Claimed(address=holding.entry.address, interface=interface, mac=mac, node=node))
        if self._contests.is_answered(claim, node, speaker, now):
            self._announcements.plan(claim.address, now)

    def _note_occupant(self, claim: Claim, holding: _Holding, now: float) -> None:
        """Somebody else may have come; told as rarely as claims are, for MACs are easily made up."""
        known = holding.claim is not None and holding.claim.mac == claim.mac
        if not known and self._contests.is_reported(claim, now):
            holding.claim = claim
            self._tell(claim.address)

    def _due(self, now: float) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
        """Return what is to be asked for and announced, as far as this wake-up may."""
        if now < self._awake_at:
            return (), ()
        asks = tuple(self._inquiry.asks_due(now, ASKS_PER_WAKE_UP))
        announcements = tuple(self._announcements.due(now, ANNOUNCEMENTS_PER_WAKE_UP))
        if asks or announcements:
            self._awake_at = now + WAKE_UP_INTERVAL_S
        return asks, announcements
