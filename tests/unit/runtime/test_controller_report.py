"""What the controller's metrics say of the ledger."""

from pathlib import Path

from prometheus_client import generate_latest

from orchestrator.decide.convergence import Rules, adopt_all
from orchestrator.decide.ledger import Ledger
from orchestrator.observe.metrics import CONTROLLER_METRICS, Metrics
from orchestrator.runtime.controller_report import ControllerReport
from orchestrator.settings import ControllerSettings, Folders
from orchestrator.sources.manifests.state import ManifestsSink
from tests.support.objects import pool, pools, service


def test_controller_counts_the_services_of_each_pool(tmp_path: Path) -> None:
    ledger = Ledger()
    ledger.set_pools(pools(pool("p", "192.0.2.0/24"), pool("q", "198.51.100.0/24")))
    key = {"metallb.io/allow-shared-ip": "k"}
    first = service("a", held=["192.0.2.1"], ports=(80,), annotations=key)
    second = service("b", held=["192.0.2.1"], ports=(443,), annotations=key)
    adopt_all([first, second], ledger, Rules())
    metrics = Metrics(CONTROLLER_METRICS)
    settings = ControllerSettings(origin=Folders(source=tmp_path, state=tmp_path), metrics_port=0, health_port=0)
    ControllerReport(settings, ManifestsSink(tmp_path), metrics).exposed(ledger)
    lines = generate_latest(metrics.registry).decode().splitlines()
    assert 'metallb_allocator_services_allocated_total{pool="p"} 2.0' in lines
    assert 'metallb_allocator_services_allocated_total{pool="q"} 0.0' in lines
    assert 'metallb_allocator_addresses_in_use_total{pool="p"} 1.0' in lines
