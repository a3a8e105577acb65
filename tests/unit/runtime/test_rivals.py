"""Two load balancers on one cluster: who has not begun looks on."""

from structlog.testing import capture_logs

from orchestrator.observe.http import Readiness
from orchestrator.observe.metrics import SPEAKER_METRICS, Metrics
from orchestrator.runtime.rivals import CONDITION, Rivalry

PODS = frozenset({"metallb-system/speaker-x", "metallb-system/controller-y"})
METRICS = Metrics(SPEAKER_METRICS)


def test_who_has_not_begun_looks_on_until_the_rival_is_gone() -> None:
    readiness = Readiness()
    rivalry = Rivalry(METRICS, readiness)
    assert rivalry.told(PODS, acting=False)
    assert readiness.reasons()[CONDITION] == (
        "observing: MetalLB's pods run: metallb-system/controller-y, metallb-system/speaker-x; "
        "delete them to let Ferrule act"
    )
    assert METRICS.registry.get_sample_value("ferrule_observing") == 1
    assert not rivalry.told(frozenset(), acting=False)
    assert readiness.reasons() == {}
    assert METRICS.registry.get_sample_value("ferrule_observing") == 0


def test_who_has_begun_goes_on_and_says_so() -> None:
    readiness = Readiness()
    with capture_logs() as lines:
        assert not Rivalry(METRICS, readiness).told(PODS, acting=True)
    assert readiness.reasons() == {}
    assert readiness.report()["MetalLB"].startswith("MetalLB's pods run beside Ferrule, which goes on: ")
    assert [line["event"] for line in lines] == ["two load balancers"]


def test_the_same_pods_are_told_of_once() -> None:
    rivalry = Rivalry(METRICS, Readiness())
    with capture_logs() as lines:
        assert rivalry.told(PODS, acting=False)
        assert rivalry.told(PODS, acting=False)
    assert len(lines) == 1


def test_no_rival_at_all_is_nothing_to_tell() -> None:
    with capture_logs() as lines:
        assert not Rivalry(METRICS, Readiness()).told(frozenset(), acting=False)
    assert lines == []
