from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest

from orchestrator.fsm.contests import Speaker
from orchestrator.fsm.holdings import ASKS_PER_WAKE_UP, Actions, Holdings, Message
from orchestrator.fsm.membership import Role
from orchestrator.fsm.responder import Claim, WireOrders
from orchestrator.fsm.responder_api import Claimed, Entry, Mode, Probed, Released, Silent
from orchestrator.net.link import MacAddress

TEXT = "192.0.2.10"
A = ip_address(TEXT).packed
STRANGER = MacAddress.parse("02:00:00:00:00:99")
OTHER_STRANGER = MacAddress.parse("02:00:00:00:00:98")
PEER = MacAddress.parse("02:00:00:00:00:0b")
NODES = {PEER: "b"}


def ordered(mode: Mode, text: str = TEXT, previous: str = "") -> Entry:
    return Entry(text, None, mode, previous)


@dataclass
class Simulation:
    """Holdings whose actions are taken as time passes."""

    holdings: Holdings = field(default_factory=Holdings)
    now: float = 100.0
    asked_at: list[float] = field(default_factory=list)
    announced_at: list[float] = field(default_factory=list)
    told: list[tuple[float, Message]] = field(default_factory=list)

    def order(self, *entries: Entry, role: Role = Role.ACTIVE) -> Actions:
        by_address = {ip_address(each.address).packed: each for each in entries}
        self.holdings.order(by_address, NODES, role, self.now)
        return self.act()

    def mode(self, mode: Mode, role: Role = Role.ACTIVE) -> Actions:
        return self.order(ordered(mode), role=role)

    def claim(self, mac: MacAddress = STRANGER, speaker: Speaker = Speaker.CONNECTED) -> Actions:
        self.holdings.hear([Claim(A, mac, "eth0")], speaker, self.now)
        return self.act()

    def act(self) -> Actions:
        actions = self.holdings.pass_time(self.now)
        self.asked_at += [self.now] * len(actions.asks)
        self.announced_at += [self.now] * len(actions.announcements)
        self.told += [(self.now, message) for message in actions.messages]
        return actions

    def run(self, duration_s: float) -> None:
        end = self.now + duration_s
        while (at := self.holdings.next_at()) is not None and at <= end:
            self.now = max(at, self.now)
            self.act()
        self.now = end

    @property
    def messages(self) -> list[Message]:
        return [message for _, message in self.told]

    @property
    def wire(self) -> WireOrders:
        return self.holdings.wire_orders(None)

    def answers(self) -> bool:
        return bool(self.wire.answered)

    def watches(self) -> bool:
        return bool(self.wire.watched)


@pytest.fixture
def simulation() -> Simulation:
    return Simulation()


def test_ordered_address_is_answered_at_once(simulation: Simulation) -> None:
    actions = simulation.mode(Mode.ANSWER)
    assert actions.changed
    assert simulation.wire == WireOrders(answered={A: None})
    assert simulation.messages == []
    assert simulation.holdings.next_at() is None


def test_unchanged_table_changes_nothing(simulation: Simulation) -> None:
    entry = ordered(Mode.ANSWER)
    simulation.order(entry)
    assert simulation.order(entry) == Actions()


def test_changed_interfaces_change_the_wire(simulation: Simulation) -> None:
    simulation.mode(Mode.ANSWER)
    assert simulation.order(Entry(TEXT, ("eth1",))).changed
    assert simulation.wire.answered == {A: ("eth1",)}


def test_address_that_left_the_table_is_forgotten(simulation: Simulation) -> None:
    simulation.mode(Mode.PROBE)
    assert simulation.order().changed
    assert simulation.wire == WireOrders()
    assert simulation.holdings.next_at() is None
    assert simulation.claim() == Actions()


@pytest.mark.parametrize("role", [Role.SETTLING, Role.STANDBY])
def test_node_that_may_not_serve_neither_answers_nor_asks(simulation: Simulation, role: Role) -> None:
    for mode in (Mode.ANSWER, Mode.PROBE, Mode.WATCH, Mode.RELEASE):
        simulation.mode(mode, role=role)
        simulation.run(10.0)
        assert simulation.wire == WireOrders()
    assert (simulation.asked_at, simulation.messages) == ([], [])


def test_released_address_is_answered_quietly_until_its_new_owner_speaks(simulation: Simulation) -> None:
    simulation.mode(Mode.ANSWER)
    simulation.run(10.0)
    simulation.mode(Mode.RELEASE)
    assert simulation.answers()
    assert simulation.wire.quiet == {A}
    simulation.run(0.5)
    actions = simulation.claim(PEER)
    assert actions.released == {A}
    assert not actions.changed
    assert simulation.messages == [Released(address=TEXT, owner_mac=str(PEER))]
    assert not simulation.answers()
    simulation.run(10.0)
    assert len(simulation.messages) == 1


def test_release_without_a_new_owner_ends_after_a_second(simulation: Simulation) -> None:
    simulation.mode(Mode.ANSWER)
    simulation.mode(Mode.RELEASE)
    simulation.run(0.99)
    assert simulation.answers()
    simulation.run(0.01)
    assert not simulation.answers()
    assert simulation.messages == [Released(address=TEXT)]


def test_new_owner_that_spoke_before_the_order_is_not_awaited(simulation: Simulation) -> None:
    simulation.mode(Mode.ANSWER)
    simulation.run(10.0)
    simulation.claim(PEER)
    simulation.run(0.5)
    simulation.mode(Mode.RELEASE)
    assert not simulation.answers()
    assert simulation.messages[-1] == Released(address=TEXT, owner_mac=str(PEER))


def test_claim_of_long_ago_is_no_successor(simulation: Simulation) -> None:
    simulation.mode(Mode.ANSWER)
    simulation.run(10.0)
    simulation.claim(PEER)
    simulation.run(5.0)
    simulation.mode(Mode.RELEASE)
    assert simulation.answers()


@pytest.mark.parametrize("mode", [Mode.ANSWER, Mode.PROBE])
def test_order_taken_back_is_announced_anew(simulation: Simulation, mode: Mode) -> None:
    simulation.mode(Mode.ANSWER)
    simulation.mode(Mode.RELEASE)
    simulation.run(0.5)
    assert simulation.mode(mode).changed
    assert simulation.answers()
    assert not simulation.wire.quiet
    simulation.run(10.0)
    assert simulation.answers()
    assert simulation.asked_at == []


def test_what_is_not_answered_is_released_at_once(simulation: Simulation) -> None:
    simulation.mode(Mode.RELEASE)
    assert not simulation.answers()
    assert simulation.messages == [Released(address=TEXT)]


def test_leaving_releases_everything_and_a_table_takes_it_back(simulation: Simulation) -> None:
    simulation.mode(Mode.ANSWER)
    simulation.mode(Mode.ANSWER, role=Role.LEAVING)
    assert simulation.wire.quiet == {A}
    assert simulation.holdings.is_answering()
    simulation.run(1.0)
    assert not simulation.holdings.is_answering()
    simulation.mode(Mode.ANSWER)
    assert simulation.answers()


def test_first_use_is_probed_for_300_ms(simulation: Simulation) -> None:
    simulation.mode(Mode.PROBE)
    assert (simulation.answers(), simulation.watches()) == (False, True)
    simulation.run(0.299)
    assert simulation.asked_at == pytest.approx([100.0, 100.1, 100.2])
    assert not simulation.answers()
    simulation.run(0.002)
    assert simulation.answers()
    assert simulation.messages == [Probed(address=TEXT)]


def test_answered_address_is_not_probed_but_its_outcome_told(simulation: Simulation) -> None:
    simulation.mode(Mode.ANSWER)
    assert simulation.mode(Mode.PROBE).messages == (Probed(address=TEXT),)
    simulation.run(10.0)
    assert simulation.asked_at == []
    assert simulation.answers()


def test_node_of_ours_is_no_obstacle_to_first_use(simulation: Simulation) -> None:
    simulation.mode(Mode.PROBE)
    simulation.claim(PEER)
    simulation.run(0.31)
    assert simulation.answers()


def test_stranger_is_an_obstacle_until_it_is_silent(simulation: Simulation) -> None:
    simulation.mode(Mode.PROBE)
    simulation.run(0.15)
    simulation.claim()
    assert simulation.messages == [Probed(address=TEXT, interface="eth0", mac=str(STRANGER))]
    simulation.asked_at.clear()
    for _ in range(4):
        simulation.run(5.0)
        assert not simulation.answers()
        simulation.claim()
    assert simulation.asked_at == pytest.approx([105.15, 110.15, 115.15, 120.15])
    assert len(simulation.messages) == 1
    simulation.run(15.05)
    assert not simulation.answers()
    simulation.run(0.1)
    assert simulation.answers()
    assert simulation.messages[1:] == [Probed(address=TEXT)]


def test_another_stranger_is_told(simulation: Simulation) -> None:
    simulation.mode(Mode.PROBE)
    simulation.claim()
    simulation.claim(OTHER_STRANGER)
    assert [message.mac for message in simulation.messages if isinstance(message, Probed)] == [
        str(STRANGER),
        str(OTHER_STRANGER),
    ]


def test_watched_address_is_not_answered_and_silence_told_once(simulation: Simulation) -> None:
    simulation.mode(Mode.ANSWER)
    simulation.mode(Mode.WATCH)
    assert (simulation.answers(), simulation.watches()) == (False, True)
    for _ in range(10):
        simulation.run(0.5)
        simulation.claim(PEER)
    assert simulation.messages == []
    simulation.run(30.0)
    assert simulation.messages == [Silent(address=TEXT)]
    assert not simulation.answers()
    simulation.claim(PEER)
    simulation.run(2.0)
    assert simulation.messages == [Silent(address=TEXT)] * 2


def test_watch_asks_every_half_second(simulation: Simulation) -> None:
    simulation.mode(Mode.WATCH)
    simulation.run(1.49)
    assert simulation.asked_at == pytest.approx([100.0, 100.5, 101.0])
    assert simulation.messages == []
    simulation.run(0.06)
    assert simulation.messages == [Silent(address=TEXT)]


@pytest.mark.parametrize("speaker", Speaker)
def test_stranger_is_reported_each_second_and_answered_every_ten(simulation: Simulation, speaker: Speaker) -> None:
    simulation.mode(Mode.ANSWER)
    for _ in range(200):
        simulation.claim(speaker=speaker)
        simulation.run(0.125)
    claimed = Claimed(address=TEXT, interface="eth0", mac=str(STRANGER))
    assert simulation.messages == [claimed] * 25
    assert simulation.announced_at == [100.0, 110.0, 120.0]
    assert simulation.answers()


def test_node_of_ours_is_reported_and_not_answered(simulation: Simulation) -> None:
    simulation.mode(Mode.ANSWER)
    simulation.run(2.0)
    simulation.claim(PEER)
    assert simulation.messages == [Claimed(address=TEXT, interface="eth0", mac=str(PEER), node="b")]
    assert simulation.announced_at == []


def test_node_of_ours_is_answered_once_a_second_while_the_speaker_is_away(simulation: Simulation) -> None:
    simulation.mode(Mode.ANSWER)
    simulation.run(2.0)
    for _ in range(16):
        simulation.claim(PEER, Speaker.AWAY)
        simulation.run(0.125)
    assert simulation.announced_at == [102.0, 103.0]


def test_old_owner_that_answers_our_announcement_is_neither_conflict_nor_successor(simulation: Simulation) -> None:
    simulation.mode(Mode.ANSWER)
    simulation.run(0.9)
    simulation.claim(PEER)
    assert simulation.messages == []
    simulation.mode(Mode.RELEASE)
    assert simulation.answers()


def test_other_node_than_the_old_owner_is_a_conflict_at_once(simulation: Simulation) -> None:
    simulation.order(ordered(Mode.ANSWER, previous="c"))
    simulation.claim(PEER)
    assert simulation.messages == [Claimed(address=TEXT, interface="eth0", mac=str(PEER), node="b")]


def test_defence_that_the_speaker_orders_is_announced_at_once(simulation: Simulation) -> None:
    simulation.mode(Mode.ANSWER)
    simulation.run(2.0)
    for _ in range(16):
        simulation.holdings.defend([A, b"\xc0\x00\x02\x63"], simulation.now)
        simulation.act()
        simulation.run(0.0625)
    assert simulation.announced_at == [102.0, 102.25, 102.5, 102.75]


def test_defended_address_awaits_its_new_owner_again(simulation: Simulation) -> None:
    simulation.mode(Mode.ANSWER)
    simulation.run(2.0)
    simulation.claim(PEER)
    simulation.holdings.defend([A], simulation.now)
    simulation.act()
    simulation.mode(Mode.RELEASE)
    assert simulation.answers()


@pytest.mark.parametrize("mode", [Mode.PROBE, Mode.WATCH, Mode.RELEASE])
def test_only_answered_addresses_are_defended(simulation: Simulation, mode: Mode) -> None:
    simulation.mode(mode)
    simulation.holdings.defend([A], simulation.now)
    simulation.act()
    assert simulation.announced_at == []


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        (Mode.PROBE, Probed(address=TEXT)),
        (Mode.RELEASE, Released(address=TEXT)),
        (Mode.WATCH, Silent(address=TEXT)),
    ],
)
def test_new_speaker_is_told_what_was_found(simulation: Simulation, mode: Mode, message: Message) -> None:
    simulation.mode(mode)
    simulation.run(5.0)
    simulation.holdings.tell_again()
    simulation.act()
    assert simulation.messages == [message] * 2


def test_predecessor_is_told_once_per_order(simulation: Simulation) -> None:
    simulation.order(ordered(Mode.ANSWER, previous="b"))
    assert simulation.holdings.predecessor(A) == "b"
    assert simulation.holdings.predecessor(A) == ""
    simulation.mode(Mode.ANSWER, role=Role.STANDBY)
    simulation.order(ordered(Mode.ANSWER, previous="c"))
    assert simulation.holdings.predecessor(A) == "c"


def test_thousands_of_probes_are_spread_over_wake_ups(simulation: Simulation) -> None:
    entries = [ordered(Mode.PROBE, str(ip_address("10.0.0.0") + number)) for number in range(5000)]
    assert len(simulation.order(*entries).asks) == ASKS_PER_WAKE_UP
    wake_ups = 0
    while (at := simulation.holdings.next_at()) is not None:
        assert at >= simulation.now
        simulation.now, wake_ups = at, wake_ups + 1
        assert len(simulation.act().asks) <= ASKS_PER_WAKE_UP
    assert len(simulation.wire.answered) == 5000
    assert len(simulation.asked_at) == 15_000
    assert simulation.now - 100.0 < 2.0
    assert wake_ups < 400


@pytest.mark.parametrize("mode", [Mode.PROBE, Mode.WATCH])
def test_silence_counts_only_if_somebody_was_asked(simulation: Simulation, mode: Mode) -> None:
    simulation.mode(mode)
    simulation.holdings.could_not_ask([A])
    simulation.run(60.0)
    assert simulation.messages == []
    assert simulation.holdings.next_at() is None
    assert simulation.mode(mode).asks
    simulation.run(5.0)
    assert simulation.messages == [Probed(address=TEXT) if mode is Mode.PROBE else Silent(address=TEXT)]


def test_claim_of_a_stranger_counts_though_nobody_could_be_asked(simulation: Simulation) -> None:
    simulation.mode(Mode.PROBE)
    simulation.holdings.could_not_ask([A])
    simulation.claim()
    assert simulation.messages == [Probed(address=TEXT, interface="eth0", mac=str(STRANGER))]
