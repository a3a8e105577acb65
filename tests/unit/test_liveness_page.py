"""The page on liveness: what it names are tests that exist, and what it says of one broken direction is what happens."""

import re

from orchestrator.decide.election import elect
from orchestrator.fsm.liveness import Timing
from orchestrator.net.addresses import parse_address
from tests.support.mesh_simulation import Cluster
from tests.support.pages import DOCS, defined_tests, named_tests, rows_after

PAGE = DOCS / "layer2-liveness.md"
ADDRESS = parse_address("192.0.2.1")


def test_every_row_names_tests_that_exist() -> None:
    rows = rows_after(PAGE, "## What happens")
    assert len(rows) > 20
    assert all(named_tests(row[-1]) for row in rows)
    assert named_tests(PAGE.read_text()) <= defined_tests()


def test_broken_direction_has_the_owners_that_the_page_says() -> None:
    cluster = Cluster(("a", "b", "c"), Timing())
    cluster.start(*cluster.names)
    cluster.run(1.0)
    cluster.block([("a", "b")])
    cluster.run(1.0)
    outlooks = cluster.outlooks()
    assert all(outlook.role.serves for outlook in outlooks.values())
    said = {}
    for orders, *elected, answer in rows_after(PAGE, "### One broken direction among three nodes"):
        for order in orders.split(" or "):
            said[order] = (elected, set(re.findall(r"\b[abc]\b", re.split(r":| alone", answer)[0])))
    assert len(said) == 6, "all orders of three"
    for order, (elected, answering) in said.items():
        rank = {name: -place for place, name in enumerate(order.split(", "))}
        elects = {name: elect(ADDRESS, outlook.alive, rank) for name, outlook in outlooks.items()}
        assert [elects[name] for name in "abc"] == elected
        assert {name for name, owner in elects.items() if name == owner} == answering
