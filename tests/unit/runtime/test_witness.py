"""What an engineer sees of the API server: one line per trouble, however many watches it concerns."""

import pytest
from structlog.testing import capture_logs

from orchestrator.errors import KubeError
from orchestrator.observe.http import Readiness
from orchestrator.observe.metrics import SPEAKER_METRICS, Metrics
from orchestrator.resources.meta import ObjectRef
from orchestrator.runtime.witness import SHOWN, ApiWitness


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


def unreached(what: str, words: str = "connection refused") -> KubeError:
    return KubeError(f"https://server: {words}", request=f"list {what}")


def forbidden(what: str) -> KubeError:
    return KubeError(f"403 Forbidden: {what} is forbidden", request=f"list {what}", status=403, reason="Forbidden")


def test_an_outage_is_one_line_and_one_detail(seen: Seen) -> None:
    with capture_logs() as lines:
        for what in ("services", "nodes", "services"):
            seen.witness.failing(what, unreached(what))
    assert [line["reason"] for line in lines] == ["https://server: connection refused"]
    assert seen.readiness.report() == {"API server": "https://server: connection refused (nodes, services)"}
    assert seen.value("ferrule_watch_up", resource="nodes") == 0


def test_an_outage_in_other_words_is_the_same_one(seen: Seen) -> None:
    with capture_logs() as lines:
        for words in ("it closed the connection", "not reached"):
            for what in ("services", "nodes"):
                seen.witness.failing(what, unreached(what, words))
        seen.witness.failing("nodes", KubeError("storage is (re)initializing", request="list nodes", status=429))
        seen.witness.failing("nodes", KubeError("not ready", request="list nodes", status=503))
        seen.witness.watching("nodes")
        seen.witness.failing("nodes", unreached("nodes"))
    assert len(lines) == 1
    assert seen.readiness.report() == {"API server": "https://server: connection refused (nodes, services)"}


def test_an_outage_names_a_few_of_many_watches(seen: Seen) -> None:
    for number in range(SHOWN + 12):
        seen.witness.failing(f"kind-{number:02}", unreached("x"))
    assert seen.readiness.report()["API server"].endswith("(kind-00, kind-01, kind-02, kind-03, kind-04, and 12 more)")


def test_another_cause_is_another_line(seen: Seen) -> None:
    with capture_logs() as lines:
        seen.witness.failing("services", unreached("services"))
        seen.witness.failing("nodes", forbidden("nodes"))
        seen.witness.failing("secrets", KubeError("the answer cannot be read", reason="Unreadable"))
    assert len(lines) == 3
    texts = seen.readiness.report()["API server"].split("; ")
    assert texts[0] == "403 Forbidden: nodes is forbidden (nodes)"
    assert texts[2] == "https://server: connection refused (services)"


def test_recovery_is_told_once_all_is_well(seen: Seen) -> None:
    for what in ("services", "nodes"):
        seen.witness.failing(what, unreached(what))
    with capture_logs() as lines:
        seen.witness.watching("nodes")
        assert seen.readiness.report() == {"API server": "https://server: connection refused (services)"}
        seen.witness.watching("services")
        seen.witness.watching("services")
    assert [line["event"] for line in lines] == ["API server watched again"]
    assert seen.readiness.report() == {}
    assert seen.value("ferrule_watch_up", resource="services") == 1


def test_trouble_with_the_api_server_costs_no_readiness(seen: Seen) -> None:
    seen.witness.failing("services", unreached("services"))
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
