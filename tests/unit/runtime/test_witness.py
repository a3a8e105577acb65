"""What an engineer sees of the API server: one line per trouble, however many watches it concerns."""

import pytest
from structlog.testing import capture_logs

from orchestrator.observe.http import Readiness
from orchestrator.observe.metrics import SPEAKER_METRICS, Metrics
from orchestrator.resources.meta import ObjectRef
from orchestrator.runtime.witness import SHOWN, ApiWitness

REFUSED = "connection refused"


class Seen:
    def __init__(self) -> None:
        self.metrics = Metrics(SPEAKER_METRICS)
        self.readiness = Readiness()
        self.witness = ApiWitness(self.metrics, self.readiness)

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


@pytest.fixture
def seen() -> Seen:
    return Seen()


def test_an_outage_is_one_line_and_one_detail(seen: Seen) -> None:
    with capture_logs() as lines:
        for what in ("services", "nodes", "services"):
            seen.witness.failing(what, REFUSED)
    assert [line["reason"] for line in lines] == [REFUSED]
    assert seen.readiness.report() == {"API server": "nodes, services: connection refused"}
    assert seen.value("ferrule_watch_up", resource="nodes") == 0


def test_another_reason_is_another_line(seen: Seen) -> None:
    with capture_logs() as lines:
        seen.witness.failing("services", REFUSED)
        seen.witness.failing("nodes", "403 Forbidden")
    assert len(lines) == 2
    assert seen.readiness.report() == {"API server": "nodes: 403 Forbidden; services: connection refused"}


def test_recovery_is_told_once_all_is_well(seen: Seen) -> None:
    for what in ("services", "nodes"):
        seen.witness.failing(what, REFUSED)
    with capture_logs() as lines:
        seen.witness.watching("nodes")
        assert seen.readiness.report() == {"API server": "services: connection refused"}
        seen.witness.watching("services")
        seen.witness.watching("services")
    assert [line["event"] for line in lines] == ["API server watched again"]
    assert seen.readiness.report() == {}
    assert seen.value("ferrule_watch_up", resource="services") == 1


def test_trouble_with_the_api_server_costs_no_readiness(seen: Seen) -> None:
    seen.witness.failing("services", REFUSED)
    seen.witness.refused(ObjectRef("Service", "web", "shop"), "denied")
    assert seen.readiness.reasons() == {}


def test_refused_writes_are_counted_by_kind_and_named(seen: Seen) -> None:
    refs = [ObjectRef("Service", "web", f"shop-{number}") for number in range(SHOWN + 2)]
    for ref in refs:
        seen.witness.refused(ref, "denied by a webhook")
    assert seen.value("ferrule_writes_refused", kind="Service") == SHOWN + 2
    text = seen.readiness.report()["writes refused"]
    assert text.startswith("Service web/shop-0: denied by a webhook; ")
    assert text.endswith("; and 2 more")
    for ref in refs:
        seen.witness.accepted(ref)
    assert seen.readiness.report() == {}
    assert seen.value("ferrule_writes_refused", kind="Service") is None


def test_a_repeated_refusal_is_one_line(seen: Seen) -> None:
    ref = ObjectRef("Service", "web", "shop")
    with capture_logs() as lines:
        seen.witness.refused(ref, "denied")
        seen.witness.refused(ref, "denied")
        seen.witness.refused(ref, "too long")
        seen.witness.accepted(ref)
        seen.witness.accepted(ref)
    assert [line["event"] for line in lines] == ["write refused", "write refused", "write no longer refused"]


def test_requests_are_counted_by_verb_resource_and_code(seen: Seen) -> None:
    seen.witness.requested("patch", "services/status", 200, 0.004)
    seen.witness.requested("patch", "services/status", 0, 5.0)
    for code in ("200", "0"):
        assert seen.value("ferrule_api_requests_total", verb="patch", resource="services/status", code=code) == 1
    assert seen.value("ferrule_api_request_seconds_count", verb="patch") == 2
