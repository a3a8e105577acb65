"""Addresses moved by hand: names of objects, and what is said about each move."""

from dataclasses import replace

import pytest

from orchestrator.decide.failovers import Circumstances, Standing, explanation, object_name, reached, standing
from orchestrator.net.addresses import parse_address
from orchestrator.resources.extensions import Failover, FailoverSpec
from orchestrator.resources.parse import ParsedObject, parse_object

NODES = frozenset("abc")
KNOWN = Circumstances(
    services=("default/web",),
    owners=frozenset("a"),
    nodes=NODES,
    speakers=NODES,
    draining=frozenset(),
    advertised=NODES,
)
TO_B = FailoverSpec(address="192.0.2.10", to="b")
NOT_A = FailoverSpec(address="192.0.2.10", avoid=("a",))


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.10", "192.0.2.10"),
        ("2001:DB8:0::10", "2001-db8--10"),
        ("::1", "0--1"),
        ("2001:db8::", "2001-db8--0"),
    ],
)
def test_name_is_the_canonical_address_and_valid(address: str, name: str) -> None:
    parsed = parse_address(address)
    assert object_name(parsed) == name
    raw = {
        "apiVersion": "ferrule.io/v1alpha1",
        "kind": "Failover",
        "metadata": {"name": name},
        "spec": {"address": str(parsed), "to": "b"},
    }
    outcome = parse_object(raw, "metallb-system")
    assert isinstance(outcome, ParsedObject)
    assert isinstance(outcome.obj, Failover)


@pytest.mark.parametrize(
    ("spec", "owners", "yes"),
    [
        (TO_B, "b", True),
        (TO_B, "a", False),
        (TO_B, "ab", False),
        (TO_B, "", False),
        (NOT_A, "b", True),
        (NOT_A, "a", False),
        (NOT_A, "ab", False),
        (NOT_A, "", False),
    ],
)
def test_move_is_reached_when_only_wanted_nodes_answer(spec: FailoverSpec, owners: str, yes: bool) -> None:
    assert reached(spec, owners) is yes


@pytest.mark.parametrize(
    ("spec", "known", "expected"),
    [
        (TO_B, replace(KNOWN, owners=frozenset("b")), Standing.IN_FORCE),
        (TO_B, replace(KNOWN, services=()), Standing.NO_SERVICE),
        (TO_B, replace(KNOWN, nodes=frozenset("a")), Standing.UNKNOWN_NODE),
        (TO_B, replace(KNOWN, advertised=frozenset("a")), Standing.NOT_ADVERTISED),
        (TO_B, replace(KNOWN, speakers=frozenset("a")), Standing.NO_SPEAKER),
        (TO_B, replace(KNOWN, draining=frozenset("b")), Standing.DRAINING),
        (TO_B, KNOWN, Standing.NOT_ANSWERED),
        (NOT_A, KNOWN, Standing.NOT_ANSWERED),
        (NOT_A, replace(KNOWN, draining=frozenset("bc")), Standing.NO_OTHER_NODE),
        (NOT_A, replace(KNOWN, advertised=frozenset("a")), Standing.NO_OTHER_NODE),
    ],
)
def test_standing_and_its_explanation(spec: FailoverSpec, known: Circumstances, expected: Standing) -> None:
    assert standing(spec, known) is expected
    assert bool(explanation(spec, known)) is (expected is not Standing.IN_FORCE)
