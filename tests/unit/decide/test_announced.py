import pytest

from orchestrator.decide.announced import AnnouncedReason, announced, reason_for, unannounced, without_speaker
from orchestrator.decide.node_plan import DeclineReason, Protocol
from orchestrator.decide.outlook import Cause, Outlook
from orchestrator.resources.meta import Condition

LAYER2, BGP = Protocol.LAYER2, Protocol.BGP
EXCLUDED = Cause(reason=DeclineReason.NODE_EXCLUDED, text="remove it", protocols=(LAYER2, BGP), nodes=("a", "b"))
UNPEERED = Cause(reason=DeclineReason.NO_PEER_ON_NODE, text="add one", protocols=(BGP,), nodes=("c",))
DEAD = Cause(reason=DeclineReason.NO_ENDPOINTS, text="look at the pods")


def said(condition: Condition) -> tuple[str, str, str]:
    return condition.status, condition.reason, condition.message


def test_protocols_and_nodes_are_told_in_order() -> None:
    condition = announced({BGP: ["b", "a"], LAYER2: ["c"]})
    assert said(condition) == ("True", "Announced", "layer2 by c; bgp by a, b")


def test_order_of_the_statuses_does_not_change_the_text() -> None:
    names = [f"n{number:02}" for number in range(12)]
    assert announced({BGP: names}) == announced({BGP: names[::-1]})
    assert announced({BGP: names}).message.endswith("n09 and 2 more")


def test_bgp_that_nobody_writes_statuses_of_is_told_as_planned() -> None:
    assert announced({LAYER2: ["a"], BGP: ["b"]}, bgp_as_planned=True).message == "layer2 by a; bgp by b, as planned"
    assert announced({LAYER2: ["a"]}, bgp_as_planned=True).message == "layer2 by a"


def test_plan_without_a_status_waits_for_its_nodes() -> None:
    text = "to be announced over layer2; bgp by a, who has not said so yet"
    assert said(unannounced(Outlook(planned={LAYER2: (), BGP: ("a",)}))) == ("Unknown", "Waiting", text)


@pytest.mark.parametrize(
    ("causes", "reason", "message"),
    [
        ((DEAD,), "NoEndpoints", "noEndpoints: look at the pods"),
        (
            (UNPEERED, EXCLUDED),
            "NodeLabeledExcludeBalancers",
            "layer2, bgp: nodeLabeledExcludeBalancers on a, b: remove it\nbgp: noPeerOnNode on c: add one",
        ),
    ],
)
def test_most_telling_cause_gives_the_reason(causes: tuple[Cause, ...], reason: str, message: str) -> None:
    assert said(unannounced(Outlook(causes=causes))) == ("False", reason, message)
    assert unannounced(Outlook(causes=causes[::-1])) == unannounced(Outlook(causes=causes))


def test_nobody_can_know_without_a_speaker() -> None:
    assert without_speaker().status == "Unknown"


def test_every_reason_of_a_speaker_is_one_of_conditions_too() -> None:
    for reason in DeclineReason:
        word = reason_for(reason).value
        assert word == reason.value[0].upper() + reason.value[1:]
    own = {AnnouncedReason.ANNOUNCED, AnnouncedReason.NO_SPEAKER, AnnouncedReason.WAITING}
    assert {reason_for(reason) for reason in DeclineReason} | own == set(AnnouncedReason)
