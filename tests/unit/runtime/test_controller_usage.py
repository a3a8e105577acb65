"""What is told of reservations, quotas and released addresses: no more than a status may hold, and only when it changed."""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

from prometheus_client import generate_latest

from orchestrator.config.model import AddressQuota, Pool, QuotaScope, Reservation
from orchestrator.decide.ledger import Assignment, Ledger
from orchestrator.decide.space import Tenancy
from orchestrator.net.addresses import IpFamily, parse_range
from orchestrator.observe.metrics import CONTROLLER_METRICS, Metrics
from orchestrator.resources import extensions
from orchestrator.resources.meta import ObjectKey, ObjectMeta, ObjectRef
from orchestrator.resources.snapshot import ClusterSnapshot
from orchestrator.runtime.controller_usage import UsageReport, holders_of
from orchestrator.sources.manifests.state import ManifestsSink, StateFolder

NAMESPACE = "metallb-system"
METADATA = ObjectMeta(name="x", namespace=NAMESPACE)
LAN = parse_range("10.0.0.0/16")


def ref(kind: str, name: str = "x") -> ObjectRef:
    return ObjectRef(kind, NAMESPACE, name)


def ledger(scope: QuotaScope = QuotaScope.NAMESPACE) -> Ledger:
    made = Ledger(cool_down_s=60)
    made.set_pools({"lan": Pool(name="lan", origin=ref("IPAddressPool", "lan"), ranges=(LAN,))})
    made.set_reservations(
        {"x": Reservation(name="x", origin=ref("AddressReservation"), ranges=(parse_range("10.0.1.0/24"),))}
    )
    limits = {IpFamily.IPV4: 500}
    made.set_quotas({"x": AddressQuota(name="x", origin=ref("AddressQuota"), limits=limits, scope=scope)})
    made.pass_time(1_800_000_000)
    return made


def hold(of: Ledger, namespace: str, address: str) -> ObjectKey:
    key = ObjectKey(namespace, f"of-{address}")
    of.hold(Assignment(service=key, pool="lan", addresses=(ip_address(address),), tenancy=Tenancy()))
    return key


def snapshot() -> ClusterSnapshot:
    reservation = extensions.AddressReservationSpec(addresses=("10.0.1.0/24",))
    return ClusterSnapshot(
        reservations={"x": extensions.AddressReservation(metadata=METADATA, spec=reservation)},
        quotas={"x": extensions.AddressQuota(metadata=METADATA, spec=extensions.AddressQuotaSpec(ipv4=500))},
    )


def files(state: Path) -> Mapping[str, str]:
    paths = {kind: StateFolder(state).file(ref(kind)) for kind in ("AddressReservation", "AddressQuota")}
    return {kind: path.read_text() for kind, path in paths.items() if path.exists()}


def test_holders_are_by_address_and_no_more_than_a_status_names() -> None:
    held = ledger()
    for number in range(120, 0, -1):
        hold(held, "shop", f"10.0.1.{number}")
    hold(held, "shop", "10.0.2.1")
    holders = holders_of(held)["x"]
    assert [holder.address for holder in holders] == [f"10.0.1.{number}" for number in range(1, 101)]
    assert holders[0].service == "shop/of-10.0.1.1"


async def test_fullest_namespaces_are_named(tmp_path: Path) -> None:
    held = ledger()
    for number in range(101):
        hold(held, f"n{number:03}", f"10.0.3.{number}")
    hold(held, "n100", "10.0.4.1")
    await UsageReport(ManifestsSink(tmp_path), Metrics(CONTROLLER_METRICS)).tell(held, snapshot())
    text = files(tmp_path)["AddressQuota"]
    assert "usedIPv4: 102" in text
    assert text.count("- namespace: ") == extensions.NAMESPACES_LIMIT
    assert text.index("n100") < text.index("n000")


async def test_only_changes_are_written(tmp_path: Path) -> None:
    held, report = ledger(), UsageReport(ManifestsSink(tmp_path), Metrics(CONTROLLER_METRICS))
    hold(held, "shop", "10.0.2.1")
    await report.tell(held, snapshot())
    for kind in files(tmp_path):
        StateFolder(tmp_path).file(ref(kind)).unlink()
    hold(held, "shop", "10.0.2.2")
    await report.tell(held, snapshot())
    assert list(files(tmp_path)) == ["AddressQuota"]


async def test_object_that_was_made_again_gets_its_status_again(tmp_path: Path) -> None:
    held, report = ledger(), UsageReport(ManifestsSink(tmp_path), Metrics(CONTROLLER_METRICS))
    await report.tell(held, snapshot())
    for kind in files(tmp_path):
        StateFolder(tmp_path).file(ref(kind)).unlink()
    await report.tell(held, ClusterSnapshot())
    await report.tell(held, snapshot())
    assert sorted(files(tmp_path)) == ["AddressQuota", "AddressReservation"]


async def test_objects_that_are_gone_get_no_status(tmp_path: Path) -> None:
    await UsageReport(ManifestsSink(tmp_path), Metrics(CONTROLLER_METRICS)).tell(ledger(), ClusterSnapshot())
    assert not files(tmp_path)


async def test_metrics_say_what_is_used_and_what_rests(tmp_path: Path) -> None:
    held, metrics = ledger(QuotaScope.TOTAL), Metrics(CONTROLLER_METRICS)
    hold(held, "shop", "10.0.2.1")
    held.release(hold(held, "shop", "10.0.2.2"))
    await UsageReport(ManifestsSink(tmp_path), metrics).tell(held, snapshot())
    text = generate_latest(metrics.registry).decode()
    assert 'ferrule_address_quota_used{family="IPv4",namespace="",quota="x"} 1.0' in text
    assert 'ferrule_address_quota_limit{family="IPv4",quota="x"} 500.0' in text
    assert 'ferrule_addresses_resting{pool="lan"} 1.0' in text
