"""Which extra lines are in force while texts come, are judged and go."""

from pathlib import Path

from orchestrator.apply.supervisor import SupervisorClient, SupervisorEvent
from orchestrator.config.model import Extras
from orchestrator.fsm.supervisor_api import Tried
from orchestrator.render.canonical import Line
from orchestrator.render.extras import ExtraLines, Refused, Trial
from orchestrator.resources.secret_text import SecretText
from orchestrator.runtime.frr_extras import ExtrasInForce
from tests.support.frr_documents import ref

ORIGIN = ref("ConfigMap", "bgpextras")
FIRST, SECOND = (Extras(origin=ORIGIN, text=SecretText(text)) for text in ("bgp first", "bgp second"))
UNUSABLE = Extras(origin=ORIGIN, text=None)
KEPT = ExtraLines(origin=ORIGIN, lines=(Line((), "bgp kept"),))


def nothing(_event: SupervisorEvent) -> None:
    """Nobody is connected."""


def in_force(kept: ExtraLines | None = None) -> ExtrasInForce:
    return ExtrasInForce(kept, SupervisorClient(Path("/nowhere"), nothing))


def accepted(extras: ExtrasInForce, line: str) -> Tried:
    return extras.of_daemon(Trial(before="", after=f"{line}\n"))


def refused(extras: ExtrasInForce) -> Tried:
    return extras.of_daemon(Trial(before="", after="", refused=Refused(number=1, line="bgp x", words="unknown")))


def lines(extras: ExtrasInForce) -> list[str]:
    return [] if extras.lines is None else [line.text for line in extras.lines.lines]


def base() -> str:
    return ""


def test_lines_of_an_earlier_process_stay_until_there_is_an_answer() -> None:
    extras = in_force(KEPT)
    extras.want(FIRST, base)
    assert (lines(extras), extras.untried) == (["bgp kept"], "bgp first")
    extras.hear(accepted(extras, "bgp first"))
    assert (lines(extras), extras.untried) == (["bgp first"], "")


def test_refused_text_leaves_the_last_accepted_one_and_says_so_until_it_is_mended() -> None:
    extras = in_force()
    extras.want(FIRST, base)
    extras.hear(accepted(extras, "bgp first"))
    extras.want(SECOND, base)
    extras.hear(refused(extras))
    assert lines(extras) == ["bgp first"]
    (problem,) = extras.problems(SECOND)
    assert (problem.ref, problem.field) == (ORIGIN, "data.extras")
    assert problem.message.startswith('line 1 "bgp x": bgpd says: unknown; ')
    assert extras.problems(FIRST) == ()
    assert extras.problems(None) == ()
    extras.want(FIRST, base)
    extras.hear(accepted(extras, "bgp first"))
    assert extras.problems(FIRST) == ()


def test_removed_text_takes_its_lines_along_and_can_come_back() -> None:
    extras = in_force()
    for _ in range(2):
        extras.want(FIRST, base)
        extras.hear(accepted(extras, "bgp first"))
        assert lines(extras) == ["bgp first"]
        extras.want(None, base)
        assert lines(extras) == []


def test_unusable_text_leaves_what_is_in_force() -> None:
    extras = in_force(KEPT)
    extras.want(UNUSABLE, base)
    assert (lines(extras), extras.untried) == (["bgp kept"], "")


def test_answer_about_another_text_is_too_late() -> None:
    extras = in_force()
    extras.want(FIRST, base)
    late = accepted(extras, "bgp first")
    extras.want(SECOND, base)
    extras.hear(late)
    assert lines(extras) == []


def test_text_is_tried_again_when_sessions_change() -> None:
    extras = in_force()
    extras.want(FIRST, base)
    extras.hear(accepted(extras, "bgp first"))
    extras.want(FIRST, lambda: "router bgp 65001\n")
    assert (lines(extras), extras.untried) == (["bgp first"], "bgp first")


def test_hindered_trial_is_told() -> None:
    extras = in_force()
    extras.want(FIRST, base)
    extras.hear(Tried(key=extras.of_daemon(Trial(before="", after="")).key, trouble="no bgpd"))
    assert "no bgpd" in extras.problems(FIRST)[0].message
