"""Laws of the outbox, whatever is asked for and whatever becomes of it."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.fsm.letters import Allowance, Dispatch, Letter, Limits, Urgency
from orchestrator.fsm.outbox import Outbox

ALLOWANCE = Allowance(per_s=20.0, burst=2, side_by_side=2)
LIMITS = Limits(allowances=dict.fromkeys(Urgency, ALLOWANCE), side_by_side=3)
KEYS = ("a", "b", "c", "d")
PATIENCE_S = 400.0
"""Longer than any refusal lasts."""


@dataclass(frozen=True, slots=True)
class Number:
    number: int

    def over(self, older: "Number") -> "Number":
        assert older.number <= self.number, "older content never replaces newer"
        return self


Step = tuple[str, str, float]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "take", "done", "drop", "put_back", "refuse", "block", "pause", "wait"]),
        st.sampled_from(KEYS),
        st.floats(min_value=0.0, max_value=50.0),
    ),
    max_size=80,
)


@dataclass(slots=True)
class Story:
    """Plays steps and keeps what must be true in the end."""

    outbox: Outbox[Number]
    under_way: list[Dispatch[Number]]
    wanted: dict[str, int]
    now: float = 0.0
    count: int = 0

    def play(self, step: Step) -> None:
        name, key, seconds = step
        match name:
            case "put":
                self.count += 1
                self.wanted[key] = self.count
                urgency = Urgency(self.count % len(Urgency))
                kind = "odd" if key in {"a", "c"} else "even"
                content = Number(self.count)
                self.outbox.put(Letter(key=key, kind=kind, content=content, urgency=urgency), self.now)
            case "take":
                self.take()
            case "wait":
                self.now += seconds
            case _ if self.under_way:
                self.come_back(name, self.under_way.pop(0), seconds)

    def take(self) -> bool:
        dispatch = self.outbox.take(self.now)
        if dispatch is None:
            return False
        assert dispatch.letter.key not in {each.letter.key for each in self.under_way}
        assert len(self.under_way) < LIMITS.side_by_side
        self.under_way.append(dispatch)
        return True

    def come_back(self, name: str, dispatch: Dispatch[Number], seconds: float) -> None:
        match name:
            case "done":
                self.written(dispatch)
                self.outbox.done(dispatch, self.now)
            case "drop":
                self.written(dispatch)
                self.outbox.drop(dispatch, self.now)
            case "put_back":
                self.outbox.put_back(dispatch, self.now, seconds)
            case "refuse":
                self.outbox.refuse(dispatch, "reason", self.now)
            case "block":
                self.outbox.block(dispatch, "reason", self.now)
            case _:
                if self.outbox.pause(dispatch, self.now, seconds):
                    self.outbox.refuse(dispatch, "at fault", self.now)

    def written(self, dispatch: Dispatch[Number]) -> None:
        key = dispatch.letter.key
        assert isinstance(key, str)
        if self.wanted.get(key) == dispatch.letter.content.number:
            del self.wanted[key]

    def recover(self) -> None:
        """The API server is well again, and time passes."""
        deadline = self.now + 10 * PATIENCE_S
        while self.now < deadline:
            while self.under_way:
                self.come_back("done", self.under_way.pop(), 0.0)
            if not self.take():
                at = self.outbox.next_at()
                if at is None:
                    return
                self.now = max(self.now + 0.001, at)


@given(STEPS)
def test_newest_of_everything_is_written_in_the_end_and_nothing_twice_at_once(steps: list[Step]) -> None:
    story = Story(Outbox(LIMITS), [], {})
    for step in steps:
        story.play(step)
    story.recover()
    assert story.wanted == {}
    assert story.outbox.settled()


@given(STEPS)
def test_next_at_tells_the_truth(steps: list[Step]) -> None:
    """Nothing can be sent between now and the time that is told, however often one asks."""
    story = Story(Outbox(LIMITS), [], {})
    for step in steps:
        story.play(step)
    while story.take():
        pass
    at = story.outbox.next_at()
    if at is None:
        assert story.outbox.take(story.now + PATIENCE_S) is None
    elif at > story.now:
        assert story.outbox.take((story.now + at) / 2) is None
    else:
        raise AssertionError(f"{at} is past, and nothing could be sent")
