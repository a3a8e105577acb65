from dataclasses import dataclass

from orchestrator.fsm.letters import Letter, Urgency


@dataclass(frozen=True, slots=True)
class Parts:
    """Content of which a newer one may leave out parts."""

    parts: frozenset[str]

    def over(self, older: "Parts") -> "Parts":
        return self if older.parts <= self.parts else Parts(self.parts | older.parts)


def letter(*parts: str, urgency: Urgency = Urgency.ADDRESS) -> Letter[Parts]:
    return Letter(key="a", kind="Service", content=Parts(frozenset(parts)), urgency=urgency)


def test_newer_letter_takes_over_what_it_leaves_out() -> None:
    newer = letter("b", urgency=Urgency.WITHDRAWAL).over(letter("a"))
    assert newer == letter("a", "b", urgency=Urgency.WITHDRAWAL)


def test_newer_letter_that_says_all_stays_itself() -> None:
    newer = letter("a", "b")
    assert newer.over(letter("a")) is newer


def test_withdrawals_go_before_addresses_and_what_is_written_behind_goes_last() -> None:
    assert min(Urgency) is Urgency.WITHDRAWAL
    assert max(Urgency) is Urgency.BEHIND
    assert Urgency.WITHDRAWAL < Urgency.ADDRESS < Urgency.OWNER < Urgency.SUMMARY
