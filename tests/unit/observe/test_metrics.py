"""Exposition of the metric table."""

import pytest
from prometheus_client import generate_latest

from orchestrator.observe.metrics import CONTROLLER_METRICS, SPEAKER_METRICS, Metrics, Name


def exposed(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def test_bare_counter_keeps_metallbs_name() -> None:
    metrics = Metrics(SPEAKER_METRICS)
    metrics.set(Name.REQUESTS, 3, ip="192.0.2.1")
    assert '\nmetallb_layer2_requests_received{ip="192.0.2.1"} 3.0\n' in exposed(metrics)


def test_replace_drops_series_that_are_gone() -> None:
    metrics = Metrics(SPEAKER_METRICS)
    metrics.replace(Name.ANNOUNCED, {("web/a", "bgp", "n1", "192.0.2.1"): 1})
    metrics.replace(Name.ANNOUNCED, {("web/b", "bgp", "n1", "192.0.2.2"): 1})
    text = exposed(metrics)
    assert 'service="web/b"' in text
    assert 'service="web/a"' not in text


def test_forgetting_an_absent_series_is_fine() -> None:
    metrics = Metrics(SPEAKER_METRICS)
    metrics.forget(Name.REQUESTS, ip="192.0.2.1")
    metrics.forget(Name.ALIVE, peer_node="n1")
    assert "192.0.2.1" not in exposed(metrics)


@pytest.mark.parametrize("name", CONTROLLER_METRICS)
def test_controller_metrics_are_exposed(name: Name) -> None:
    assert f"# HELP {name.value.name}" in exposed(Metrics(CONTROLLER_METRICS))


def test_a_gauge_cannot_be_raised_like_a_counter() -> None:
    with pytest.raises(AssertionError, match="not a counter"):
        Metrics(CONTROLLER_METRICS).add(Name.CONFIG_STALE)
