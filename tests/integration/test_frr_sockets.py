"""`--frr-sockets`: a stock FRR that others start and own; the speaker adds its lines to what stands there."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from orchestrator.lab import layout, processes, router
from orchestrator.lab.topology import Lab
from orchestrator.render.canonical import Line
from tests.support import running_lab
from tests.support.engines import BGP, service
from tests.support.frr import Daemons, run_folder
from tests.support.frr_versions import FrrVersion
from tests.support.running_lab import log_lines, wait

pytestmark = pytest.mark.timeout(240)

NODE = layout.NODES[0]
INSTANCE = ("router bgp 64512",)
THEIRS = Line(INSTANCE, "neighbor 192.0.2.77 description theirs")
OURS = Line(INSTANCE, "neighbor 192.0.2.254 remote-as 64513")
STOCK = f"""\
log file /tmp/unused
{INSTANCE[0]}
 neighbor 192.0.2.77 remote-as 64999
 {THEIRS.text}
"""
PEER = """\
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {{name: router, namespace: metallb-system}}
spec: {{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.254{more}}}
---
apiVersion: metallb.io/v1beta1
kind: BFDProfile
metadata: {{name: slow, namespace: metallb-system}}
spec: {{receiveInterval: 1000, transmitInterval: 1000}}
"""
WEB = "203.0.113.17"


@dataclass(frozen=True)
class Stock:
    """A node whose FRR is not ours: bgpd and zebra run, bfdd does not."""

    lab: Lab
    frr: Daemons

    def start(self, daemon: str, text: str = "! stock\n") -> None:
        conf = self.frr.run.daemon_conf(daemon)
        conf.write_text(text)
        conf.chmod(0o644)
        self.frr.start(daemon)
        asyncio.run(self.frr.ask(daemon, "show version"))

    def runs(self, line: Line) -> bool:
        return line in asyncio.run(self.frr.running())

    def is_announced(self) -> bool:
        return router.next_hops(self.lab, WEB) == {str(NODE.address)}

    def readiness(self) -> tuple[int, str]:
        return running_lab.http_get(self.lab, NODE.name, 17472, "/readyz")

    def is_ready(self) -> bool:
        return self.readiness()[0] == 200

    def misses(self, daemon: str) -> bool:
        status, text = self.readiness()
        return status == 503 and f"{daemon} does not answer at {self.frr.run.vty(daemon)}" in text


@pytest.fixture(scope="module")
def stock() -> Iterator[Stock]:
    with running_lab.network("stock") as lab, run_folder() as folder:
        stock = Stock(lab, Daemons(lab.machines[NODE.name], folder, FrrVersion.DEBIAN_13))
        lab.drop("nodes.yaml")
        lab.write_manifest("bgp.yaml", BGP)
        lab.write_manifest("peers.yaml", PEER.format(more=""))
        lab.write_manifest("web.yaml", service("web", 17))
        router.start(lab)
        stock.start("zebra")
        stock.start("bgpd", STOCK)
        processes.start_controller(lab)
        processes.start_supervisor(lab, NODE.name)
        processes.start_speaker(lab, NODE.name, ["--frr-sockets", str(folder)])
        try:
            wait(stock.is_announced, "the route at the router")
            wait(stock.is_ready, "the speaker to be ready")
        except BaseException as error:
            error.add_note(running_lab.last_words(lab, 40))
            raise
        yield stock


def test_routes_are_announced_and_lines_of_others_stay_and_are_told(stock: Stock) -> None:
    assert stock.runs(OURS)
    assert stock.runs(THEIRS)
    told = log_lines(stock.lab, f"speaker-{NODE.name}", "lines in FRR that are not ours")
    assert [str(THEIRS) in str(each["lines"]) for each in told].count(True) == 1


def test_supervisor_starts_no_daemon_and_the_document_is_there_to_read(stock: Stock) -> None:
    run = stock.lab.folder.run(NODE.name)
    assert "203.0.113.17/32" in run.frr_conf.read_text()
    assert not run.daemon_conf("bgpd").exists()
    assert running_lab.child_pid(stock.lab, NODE.name, "responder") != 0
    assert running_lab.child_pid(stock.lab, NODE.name, "bgpd") == 0


def test_restart_of_their_bgpd_brings_the_routes_back(stock: Stock) -> None:
    stock.frr.kill("bgpd")
    wait(lambda: not stock.is_announced(), "the router to notice")
    stock.start("bgpd", STOCK)
    wait(stock.is_announced, "the route again")
    assert stock.runs(THEIRS)


def test_daemon_that_the_document_needs_and_that_does_not_run_is_named(stock: Stock) -> None:
    stock.lab.write_manifest("peers.yaml", PEER.format(more=", bfdProfile: slow"))
    wait(lambda: stock.misses("bfdd"), "bfdd to be named")
    stock.start("bfdd")
    wait(stock.is_ready, "the speaker to be ready with bfdd")
    stock.frr.kill("zebra")
    wait(lambda: stock.misses("zebra"), "zebra to be named")
    assert stock.is_announced()


def test_without_peers_of_ours_only_their_lines_are_left(stock: Stock) -> None:
    stock.start("zebra")
    (stock.lab.folder.manifests / "peers.yaml").unlink()
    wait(lambda: not stock.is_announced(), "the route to be gone")
    wait(lambda: not stock.runs(OURS), "our neighbor to be gone")
    assert stock.runs(THEIRS)
    assert asyncio.run(stock.frr.running("bfdd")) == frozenset()
