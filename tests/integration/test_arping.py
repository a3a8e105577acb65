"""`ferrule arping` on a network of namespaces; owners are the kernel's own addresses, or a responder."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from orchestrator.fsm.responder_api import TableApplied
from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from orchestrator.resources.core import LoadBalancerIngress, LoadBalancerStatus, ServiceStatus
from orchestrator.resources.extensions import SpeakerInterface, SpeakerState, SpeakerStateSpec
from orchestrator.resources.meta import ObjectKey, ObjectMeta
from orchestrator.resources.metallb import ServiceL2Status, ServiceL2StatusStatus
from orchestrator.sources.manifests.state import ManifestsSink
from tests.support.responders import network, responder

NAMESPACE = "metallb-system"
VIP = "192.0.2.10"
VIP6 = "2001:db8::10"


@pytest.fixture
def lan() -> Iterator[tuple[Namespace, Namespace, Namespace]]:
    """Two nodes and a client."""
    with network("a", "b", "client") as (a, b, client):
        yield a, b, client


def arping(asker: Namespace, *words: str) -> CompletedProcess[str]:
    command = [sys.executable, "-m", "orchestrator", "arping", "--timeout", "2", *words]
    return asker.run(command, check=False, timeout_s=30)


def asked(asker: Namespace, *words: str) -> tuple[int, dict[str, object]]:
    done = arping(asker, "-o", "json", "--count", "2", *words)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def states(folder: Path, a: Namespace, b: Namespace, address: str = VIP) -> tuple[str, str]:
    """A state folder that says: web has the address, node a answers for it."""
    mac_of = {name: namespaces.mac_address(namespace, "eth0") for name, namespace in (("a", a), ("b", b))}

    async def fill() -> None:
        sink = ManifestsSink(folder)
        status = ServiceStatus(load_balancer=LoadBalancerStatus(ingress=(LoadBalancerIngress(ip=address),)))
        await sink.write_service_status(ObjectKey("default", "web"), status, {})
        owner = ServiceL2StatusStatus(node="a", service_name="web", service_namespace="default")
        await sink.write(ServiceL2Status(metadata=ObjectMeta(name="l2-a", namespace=NAMESPACE), status=owner))
        for node, mac in mac_of.items():
            spec = SpeakerStateSpec(node=node, interfaces=(SpeakerInterface(name="eth0", mac=mac),))
            await sink.write(SpeakerState(metadata=ObjectMeta(name=node, namespace=NAMESPACE), spec=spec))

    asyncio.run(fill())
    return "--state", str(folder)


@pytest.mark.parametrize("address", [VIP, VIP6])
def test_owner_that_should_answer(lan: tuple[Namespace, Namespace, Namespace], tmp_path: Path, address: str) -> None:
    a, b, client = lan
    _own(a, address)
    _own(client, "2001:db8::3")
    status, said = asked(client, address, *states(tmp_path, a, b, address))
    assert status == 0
    assert (said["verdict"], said["expected"], said["interfaces"]) == ("expected", ["a"], ["eth0"])
    answers = said["answers"]
    assert isinstance(answers, list)
    (answer,) = answers
    assert answer["mac"] == namespaces.mac_address(a, "eth0")
    assert (answer["node"], answer["replies"]) == ("a", 2)
    assert 0 < answer["minMs"] <= answer["avgMs"] <= answer["maxMs"] < 2000


def _own(namespace: Namespace, address: str) -> None:
    namespaces.add_address(namespace, "eth0", f"{address}/{64 if ':' in address else 24}")


@pytest.mark.parametrize("address", [VIP, VIP6])
def test_two_owners_are_both_named(lan: tuple[Namespace, Namespace, Namespace], address: str) -> None:
    a, b, client = lan
    _own(a, address)
    _own(b, address)
    status, said = asked(client, address)
    assert (status, said["verdict"]) == (3, "several")
    assert f"{address}: no node of ours ({namespaces.mac_address(a, 'eth0')})" in str(said["text"]) or (
        f"{address}: no node of ours ({namespaces.mac_address(b, 'eth0')})" in str(said["text"])
    )


@pytest.mark.parametrize("address", [VIP, VIP6])
def test_nobody(lan: tuple[Namespace, Namespace, Namespace], address: str) -> None:
    done = arping(lan[2], "--count", "1", address)
    assert (done.returncode, done.stdout) == (1, f"asked for {address} on eth0\nnobody answers for {address}\n")


def test_node_that_should_not_answer(lan: tuple[Namespace, Namespace, Namespace], tmp_path: Path) -> None:
    a, b, client = lan
    _own(b, VIP)
    done = arping(client, VIP, *states(tmp_path, a, b))
    assert done.returncode == 3
    head, columns, row, verdict = done.stdout.splitlines()
    assert head == f"asked for {VIP} on eth0"
    assert columns.split() == ["MAC", "node", "interface", "replies", "min", "avg", "max"]
    assert row.split()[:4] == [namespaces.mac_address(b, "eth0"), "b", "eth0", "3"]
    assert verdict == f"b answers for {VIP}; a should"


def test_owner_does_not_hear_itself(lan: tuple[Namespace, Namespace, Namespace], tmp_path: Path) -> None:
    a, b, _ = lan
    _own(a, VIP)
    done = arping(a, "--count", "1", VIP, *states(tmp_path, a, b))
    assert done.returncode == 1
    assert "does not hear itself; ask from another machine" in done.stdout


async def test_responder_is_heard(lan: tuple[Namespace, Namespace, Namespace], tmp_path: Path) -> None:
    a, _, client = lan
    async with responder(a, tmp_path, "a") as node:
        number = node.send(VIP)
        await node.next(TableApplied, lambda message: message.number == number)
        status, said = await asyncio.to_thread(asked, client, VIP)
    assert (status, said["verdict"]) == (0, "one")


def test_asking_leaves_the_neighbors_of_others_alone(lan: tuple[Namespace, Namespace, Namespace]) -> None:
    a, b, client = lan
    _own(a, VIP)
    assert asked(client, VIP)[0] == 0
    assert VIP not in b.run(["ip", "neighbor", "show"]).stdout
    assert VIP not in client.run(["ip", "neighbor", "show"]).stdout


def test_interface_that_the_node_excludes_is_asked_on_only_when_named(
    lan: tuple[Namespace, Namespace, Namespace], tmp_path: Path
) -> None:
    a, _, client = lan
    _own(a, VIP)
    excluding = tmp_path / "excludel2.yaml"
    excluding.write_text('announcedInterfacesToExclude: ["^eth"]\n')
    done = arping(client, "--l2-exclude-file", str(excluding), VIP)
    assert (done.returncode, "there is no interface to ask on" in done.stderr) == (4, True)
    assert asked(client, "--l2-exclude-file", str(excluding), "--interface", "eth0", VIP)[0] == 0
    excluding.write_text("announcedInterfacesToExclude: eth0\n")
    done = arping(client, "--l2-exclude-file", str(excluding), VIP)
    assert (done.returncode, f"{excluding}: there is no list" in done.stderr) == (4, True)


def test_interface_that_is_not_there_is_told(lan: tuple[Namespace, Namespace, Namespace]) -> None:
    done = arping(lan[2], "--interface", "eth7", VIP)
    assert done.returncode == 4
    assert done.stderr == "ferrule arping: there is no interface eth7; there are eth0, lo\n"
