"""Laws of the holdings in simulated time, whatever is ordered and whoever claims what."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.fsm.contests import REPORTS_PER_INTERVAL, Speaker
from orchestrator.fsm.holdings import ANNOUNCEMENTS_PER_WAKE_UP, ASKS_PER_WAKE_UP, WAKE_UP_INTERVAL_S, Holdings
from orchestrator.fsm.membership import Role
from orchestrator.fsm.phases import RELEASE_LIMIT_S
from orchestrator.fsm.responder import Claim
from orchestrator.fsm.responder_api import Claimed, Entry, Mode
from orchestrator.net.link import MacAddress

ADDRESSES = [ip_address(f"192.0.2.{number}") for number in range(1, 4)]
PEER, STRANGER = (MacAddress(bytes((2, 0, 0, 0, 0, number))) for number in (1, 2))
NODES = {PEER: "b"}
SETTLED_S = 60.0
"""Longer than any phase that ends by itself."""

Modes = dict[int, Mode]
"""By the number of an address."""


@dataclass(frozen=True)
class Order:
    modes: Modes
    role: Role


Event = Order | Claim | float
"""A float lets time pass."""

orders = st.builds(Order, st.dictionaries(st.integers(0, 2), st.sampled_from(Mode)), st.sampled_from(Role))
claims = st.builds(
    Claim,
    st.sampled_from([address.packed for address in ADDRESSES]),
    st.sampled_from([PEER, STRANGER]),
    st.just("eth0"),
)
pauses = st.floats(0.0, 3.0)
histories = st.lists(orders | claims | pauses, max_size=30)


@dataclass
class Node:
    """Holdings in a world of their own; every change of what is answered is noted."""

    holdings: Holdings = field(default_factory=Holdings)
    now: float = 100.0
    modes: Modes = field(default_factory=dict)
    role: Role = Role.ACTIVE
    quiet_since: dict[bytes, float] = field(default_factory=dict)

    def live(self, history: list[Event]) -> None:
        for event in history:
            match event:
                case Order():
                    self.order(event.modes, event.role)
                case Claim():
                    self.holdings.hear([event], Speaker.CONNECTED, self.now)
                    self.act()
                case float() as pause:
                    self.rest(pause)

    def order(self, modes: Modes, role: Role) -> None:
        self.modes, self.role = modes, role
        entries = {ADDRESSES[number].packed: Entry(str(ADDRESSES[number]), mode=mode) for number, mode in modes.items()}
        self.holdings.order(entries, NODES, role, self.now)
        self.act()

    def rest(self, duration_s: float) -> None:
        end = self.now + duration_s
        while (at := self.holdings.next_at()) is not None and at <= end:
            self.now = max(at, self.now)
            self.act()
        self.now = end

    def act(self) -> None:
        self.holdings.pass_time(self.now)
        self.check()

    def check(self) -> None:
        wire = self.holdings.wire_orders(None)
        answered, watched = set(wire.answered), set(wire.watched)
        assert not answered & watched
        assert wire.quiet <= answered
        self.quiet_since = {address: self.quiet_since.get(address, self.now) for address in wire.quiet}
        assert all(self.now - since <= RELEASE_LIMIT_S + 1e-6 for since in self.quiet_since.values())
        assert self.holdings.is_answering() == bool(answered)
        if not self.role.serves and self.role is not Role.LEAVING:
            assert not answered | watched
        for number, address in enumerate(ADDRESSES):
            self.check_mode(self.modes.get(number), address.packed in answered, address.packed in wire.quiet)

    def check_mode(self, mode: Mode | None, is_answered: bool, is_quiet: bool) -> None:
        leaves = mode is Mode.RELEASE or self.role is Role.LEAVING
        assert is_answered or not (mode is Mode.ANSWER and self.role.serves)
        assert not is_answered or mode is not None
        assert not (is_answered and mode is Mode.WATCH and not leaves)
        assert not is_answered or is_quiet == leaves


@settings(max_examples=300, deadline=None)
@given(histories)
def test_what_is_answered_follows_mode_role_and_the_limit_of_a_release(
    history: list[Event],
) -> None:
    Node().live(history)


@settings(max_examples=200, deadline=None)
@given(histories, orders)
def test_any_past_ends_in_the_state_of_the_last_orders_alone(history: list[Event], last: Order) -> None:
    old, new = Node(), Node()
    old.live([*history, last, SETTLED_S])
    new.live([last, SETTLED_S])
    assert settled(old) == settled(new)


def settled(node: Node) -> tuple[object, ...]:
    wire = node.holdings.wire_orders(None)
    return wire.answered, wire.quiet, wire.watched


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(Mode), st.integers(1, 2000)), min_size=1, max_size=4),
    st.integers(1, 1_000_000),
)
def test_no_storm_of_frames_or_messages(parts: list[tuple[Mode, int]], seed: int) -> None:
    """Thousands of addresses in any modes, and as many claims by MACs that are made up."""
    node = Node()
    modes = [mode for mode, count in parts for _ in range(count)]
    base = ip_address("10.0.0.0")
    entries = {(base + number).packed: Entry(str(base + number), mode=mode) for number, mode in enumerate(modes)}
    addresses = list(entries)
    node.holdings.order(entries, NODES, Role.ACTIVE, node.now)
    sent_at: list[float] = []
    reports = 0
    for step in range(60):
        mac = MacAddress(((seed + step) % (1 << 40)).to_bytes(6, "big"))
        storm = [Claim(addresses[(seed * step + number) % len(addresses)], mac, "eth0") for number in range(64)]
        node.holdings.hear(storm, Speaker.AWAY, node.now)
        actions = node.holdings.pass_time(node.now)
        assert len(actions.asks) <= ASKS_PER_WAKE_UP
        assert len(actions.announcements) <= ANNOUNCEMENTS_PER_WAKE_UP
        reports += sum(isinstance(message, Claimed) for message in actions.messages)
        if actions.asks or actions.announcements:
            sent_at.append(node.now)
        node.now += WAKE_UP_INTERVAL_S / 2
    assert reports <= REPORTS_PER_INTERVAL
    assert all(later - earlier >= WAKE_UP_INTERVAL_S - 1e-9 for earlier, later in pairwise(sent_at))
