"""What makes routes go, and when: seen from the router, with both engines."""

from collections.abc import Iterator

import pytest

from orchestrator.lab.topology import Lab
from tests.support.engines import EXABGP_NODE, FRR_NODE
from tests.support.losing import (
    ADVERTISEMENT,
    ALL,
    announced,
    endpoints,
    losing_lab,
    nodes,
    reason_of,
    service,
)
from tests.support.running_lab import flaps, log_lines, wait

pytestmark = pytest.mark.timeout(240)
NONE: frozenset[str] = frozenset()


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with losing_lab("losing") as lab:
        yield lab


def wait_for(lab: Lab, expected: dict[str, frozenset[str]], what: str) -> None:
    wait(lambda: {node: announced(lab, node) for node in expected} == expected, what)


def test_family_that_no_peer_carries_is_the_reason_of_the_condition(lab: Lab) -> None:
    wait(lambda: reason_of(lab, "six") == "NoPeerCarriesFamily", "the reason")
    wait(lambda: reason_of(lab, "s1") == "Announced", "the condition of a Service whose family is carried")


def test_configuration_that_takes_everything_waits_and_one_that_is_put_right_changed_nothing(lab: Lab) -> None:
    """The FRR node would wait for a minute, the ExaBGP node waits for a second."""
    before = flaps(lab)
    (lab.folder.manifests / "each.yaml").unlink()
    wait(lambda: log_lines(lab, f"speaker-{FRR_NODE}", "withdrawal held"), "the speaker to hold it")
    wait_for(lab, {EXABGP_NODE: NONE}, "the other node, whose time is over, to withdraw")
    assert announced(lab, FRR_NODE) == ALL
    lab.write_manifest("each.yaml", ADVERTISEMENT)
    wait_for(lab, {EXABGP_NODE: ALL}, "the routes to be back")
    wait(lambda: log_lines(lab, f"speaker-{FRR_NODE}", "held withdrawal ends"), "the end of the hold")
    ended = {node: log_lines(lab, f"speaker-{node}", "held withdrawal ends") for node in (FRR_NODE, EXABGP_NODE)}
    assert {node: lines[0]["outcome"] for node, lines in ended.items()} == {
        FRR_NODE: "averted",
        EXABGP_NODE: "withdrawn",
    }
    assert announced(lab, FRR_NODE) == ALL
    assert not log_lines(lab, f"speaker-{FRR_NODE}", "serviceWithdrawn")
    assert flaps(lab) == before


@pytest.mark.parametrize("fault", ["cut", "excluded", "not_ready"])
def test_node_that_loses_service_withdraws_everything_without_waiting(lab: Lab, fault: str) -> None:
    """Its hold of a minute is longer than the limit of this test's waits."""
    before = flaps(lab)
    lab.write_manifest("nodes.yaml", nodes(**{fault: ("a",)}))
    wait_for(lab, {FRR_NODE: NONE, EXABGP_NODE: ALL}, "the node's routes to be gone")
    lab.write_manifest("nodes.yaml", nodes())
    wait_for(lab, {FRR_NODE: ALL}, "the node's routes to be back")
    assert flaps(lab) == before


def test_not_ready_is_not_believed_when_it_is_said_of_many_nodes(lab: Lab) -> None:
    lab.write_manifest("nodes.yaml", nodes(not_ready=("b",)))
    wait_for(lab, {EXABGP_NODE: NONE}, "one node of four to withdraw")
    lab.write_manifest("nodes.yaml", nodes(not_ready=("b", "c")))
    wait_for(lab, {EXABGP_NODE: ALL}, "the routes to be back")
    lab.write_manifest("nodes.yaml", nodes())
    assert announced(lab, FRR_NODE) == ALL


def test_prefix_that_flaps_is_kept_back_and_both_the_speaker_and_the_condition_say_so(lab: Lab) -> None:
    """A Service of its own: what earlier tests withdrew is remembered, too."""
    prefix = "203.0.113.99/32"
    lab.write_manifest("restless.yaml", service("restless", "203.0.113.99"))
    lab.write_manifest("endpoints-99.yaml", endpoints("restless"))

    def is_there(*, expected: bool) -> bool:
        return all((prefix in announced(lab, node)) is expected for node in (FRR_NODE, EXABGP_NODE))

    def flap() -> None:
        lab.write_manifest("endpoints-99.yaml", endpoints("restless", ready=False))
        wait(lambda: is_there(expected=False), "the prefix to be gone")
        lab.write_manifest("endpoints-99.yaml", endpoints("restless"))

    def is_told() -> bool:
        """A machine so busy that a delay is over before it was told gets a longer one."""
        if is_there(expected=True):
            flap()
        return reason_of(lab, "restless") == "Dampened"

    wait(lambda: is_there(expected=True), "the prefix")
    for _ in range(3):
        flap()
        wait(lambda: is_there(expected=True), "the prefix to be back at once")
    flap()
    wait(is_told, "the condition to say why")
    wait(lambda: is_there(expected=True), "the prefix to be back")
    wait(lambda: reason_of(lab, "restless") == "Announced", "the condition to say so")
    for node in (FRR_NODE, EXABGP_NODE):
        (first, *_) = log_lines(lab, f"speaker-{node}", "dampened")
        assert first["withdrawals"] == {prefix: 4}
