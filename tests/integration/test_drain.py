"""A drained node, of either engine, beside one that serves: no datagram of a 1 kHz client behind the router is lost.

The client is one flow, so the router has it on one of the two nodes: each is drained while it runs.
"""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from orchestrator.cli.main import main
from orchestrator.lab import layout, router
from orchestrator.lab.topology import Lab
from orchestrator.runtime.exabgp_farewell import ExabgpFarewell
from tests.support import loss
from tests.support.engines import (
    ENGINES,
    EXABGP_NODE,
    FRR_NODE,
    addresses_of,
    configure_router,
    same_routes,
    service,
    start_node,
    start_speaker,
    tables,
    two_engines,
)
from tests.support.running_lab import LIMIT_S, flaps, kill, wait

pytestmark = pytest.mark.timeout(240)

ADDRESS = "203.0.113.17"
WEB = f"{ADDRESS}/32"
ALONE = "203.0.113.19/32"
MARK = "graceful-shutdown"
NODES = pytest.mark.parametrize("node", [FRR_NODE, EXABGP_NODE])
WAIT = ("--drain-wait", "0.3s")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with two_engines("drain", *WAIT) as lab, ExitStack() as stack:
        configure_router(lab, f"log file {log_of(lab)} debugging", "debug bgp updates in")
        for node in ENGINES:
            stack.enter_context(loss.service(lab.machines[node], ADDRESS))
        yield lab


@pytest.fixture(autouse=True)
def nobody_is_drained(lab: Lab) -> None:
    """What an earlier test left behind."""
    for node in ENGINES:
        assert drain(lab, node, "--undo") == 0
    wait(lambda: same_routes(lab, 6), "all routes of both nodes")


@contextmanager
def nothing_lost(lab: Lab) -> Iterator[loss.Client]:
    """A client whose every datagram is answered; a third of a second of them before and after what happens."""
    with loss.client(lab.machines[layout.CLIENT], ADDRESS) as client:
        client.wait_for(300)
        yield client
        client.wait_for(300)
        assert client.stop() == []


def drain(lab: Lab, *words: str) -> int:
    folders = ["--source", f"manifests:{lab.folder.manifests}", "--state", str(lab.folder.state)]
    return main(["drain", *folders, "--wait", str(LIMIT_S), *words])


def marks(lab: Lab, node: str, prefix: str = WEB) -> bool | None:
    """Whether the router's path by way of the node has the community; None without a path."""
    paths = tables(lab)[node].get(prefix)
    return None if paths is None else all(MARK in path["communities"] for path in paths)


def held_back(lab: Lab, node: str) -> int:
    """How many Services the node's speaker says that it holds back."""
    state = yaml.safe_load((lab.folder.state / "speakerstates" / f"{node}.yaml").read_text())
    count: int = state["spec"]["drain"]["heldBackCount"]
    return count


def other(node: str) -> str:
    return next(name for name in ENGINES if name != node)


def heard(lab: Lab, node: str) -> list[str]:
    """What the router's log says that the node's IPv4 session brought, one word for several in a row."""
    start, found = f" {addresses_of(node)[0]}", list[str]()
    for line in log_of(lab).read_text().splitlines():
        word = "marked" if MARK in line else "withdrawn" if "-- withdrawn" in line else ""
        if start in line and word and word not in found[-1:]:
            found.append(word)
    return found


def log_of(lab: Lab) -> Path:
    return lab.folder.router.path / "updates.log"


@NODES
def test_drained_node_marks_its_routes_then_withdraws_them_and_is_back_without_a_loss(lab: Lab, node: str) -> None:
    sessions, before = flaps(lab), len(heard(lab, node))
    with nothing_lost(lab):
        assert drain(lab, node) == 0
        wait(lambda: not tables(lab)[node], "the end of every route of the node")
        assert heard(lab, node)[before:] == ["marked", "withdrawn"]
        assert marks(lab, other(node)) is False
        assert router.next_hops(lab, ADDRESS) == {addresses_of(other(node))[0]}
        assert drain(lab, node, "--undo") == 0
        wait(lambda: same_routes(lab, 6), "the same routes of both nodes")
    assert flaps(lab) == sessions


def test_service_that_no_other_node_announces_is_held_back_until_one_does(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    both = service("alone", 19, policy="Local")
    (there,) = [line for line in both.splitlines(keepends=True) if "nodeName: node-b" in line]
    lab.write_manifest("alone.yaml", both.replace(there, ""))
    wait(lambda: marks(lab, FRR_NODE, ALONE) is False, "the Service on its only node")
    assert drain(lab, FRR_NODE, "--wait", "0") == 0
    wait(lambda: held_back(lab, FRR_NODE) == 1, "the word of what is held back")
    assert drain(lab, FRR_NODE, "--wait", "0.1") == 3
    assert "default/alone" in capsys.readouterr().out
    wait(lambda: marks(lab, FRR_NODE) is None, "the end of the others")
    assert marks(lab, FRR_NODE, ALONE) is True
    lab.write_manifest("alone.yaml", both)
    assert drain(lab, FRR_NODE) == 0
    wait(lambda: marks(lab, FRR_NODE, ALONE) is None, "the end of what was held back")
    assert marks(lab, EXABGP_NODE, ALONE) is False
    (lab.folder.manifests / "alone.yaml").unlink()


def test_last_node_is_drained_by_force_only(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert drain(lab, FRR_NODE) == 0
    assert drain(lab, EXABGP_NODE, "--wait", "0") == 0
    wait(lambda: held_back(lab, EXABGP_NODE) == 2, "the word of what is held back")
    assert drain(lab, EXABGP_NODE, "--wait", "0.1") == 3
    assert "default/shop, default/web" in capsys.readouterr().out
    assert marks(lab, EXABGP_NODE) is True
    assert not tables(lab)[FRR_NODE]
    assert drain(lab, FRR_NODE, "--force") == 0
    assert drain(lab, EXABGP_NODE, "--force") == 0
    wait(lambda: not tables(lab)[EXABGP_NODE], "the end of every route")


def test_taint_that_is_listed_drains_and_a_cordon_does_not(lab: Lab) -> None:
    nodes = (lab.folder.manifests / "nodes.yaml").read_text()
    cordon = (
        'annotations: {ferrule.io/med: "60"}\nspec:\n  unschedulable: true\n  taints: [{key: %s, effect: NoSchedule}]\n'
    )
    named = f"  name: {FRR_NODE}\n"
    cordoned = nodes.replace(named, named + "  " + cordon % "node.kubernetes.io/unschedulable")
    lab.write_manifest("nodes.yaml", cordoned)
    wait(lambda: [path["metric"] for path in tables(lab)[FRR_NODE].get(WEB, [])] == [60], "the changed Node")
    assert marks(lab, FRR_NODE) is False
    tainted = cordoned.replace("node.kubernetes.io/unschedulable", "ToBeDeletedByClusterAutoscaler")
    lab.write_manifest("nodes.yaml", tainted)
    wait(lambda: not tables(lab)[FRR_NODE], "the end of every route of the tainted node")
    lab.write_manifest("nodes.yaml", nodes)


async def test_stale_routes_of_exabgp_are_lowered_until_a_speaker_is_back(lab: Lab) -> None:
    kill(lab, f"speaker-{EXABGP_NODE}")
    farewell = ExabgpFarewell(lab.folder.run(EXABGP_NODE).exabgp_socket)
    for _ in range(2):
        await farewell.deprefer()
    wait(lambda: marks(lab, EXABGP_NODE), "the mark on the route")
    await farewell.withdraw()
    wait(lambda: not tables(lab)[EXABGP_NODE], "the end of its routes")
    start_speaker(lab, EXABGP_NODE, *WAIT)


@NODES
def test_pod_that_is_ended_marks_its_routes_first_and_loses_nothing(lab: Lab, node: str) -> None:
    before = len(heard(lab, node))
    with nothing_lost(lab):
        kill(lab, f"speaker-{node}", signal.SIGTERM)
        kill(lab, f"supervise-{node}", signal.SIGTERM)
        wait(lambda: not tables(lab)[node], "the end of its routes")
    assert heard(lab, node)[before:] == ["marked", "withdrawn"]
    if node == FRR_NODE:
        start_node(lab, node, *WAIT)
