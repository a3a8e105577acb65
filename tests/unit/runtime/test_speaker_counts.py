from prometheus_client import generate_latest

from orchestrator.fsm.responder_api import AddressCount, Counters
from orchestrator.observe.metrics import SPEAKER_METRICS, Metrics
from orchestrator.runtime.speaker_counts import FrameCounts


def test_increments_are_summed_up_until_the_address_is_nobodys() -> None:
    metrics = Metrics(SPEAKER_METRICS)
    counts = FrameCounts(metrics)
    for _ in range(2):
        counts.add(
            Counters(
                addresses=(AddressCount(address="192.0.2.7", requests=3, responses=2),),
                drops={"notOurs": 1},
                heartbeats={"sent": 10},
                failovers_s=(0.4,),
                groups={"eth0": 2},
            )
        )
    text = generate_latest(metrics.registry).decode()
    assert 'metallb_layer2_requests_received{ip="192.0.2.7"} 6.0' in text
    assert 'metallb_layer2_responses_sent{ip="192.0.2.7"} 4.0' in text
    assert 'ferrule_layer2_drops_total{reason="notOurs"} 2.0' in text
    assert 'ferrule_heartbeats_total{outcome="sent"} 20.0' in text
    assert "ferrule_layer2_failover_seconds_count 2.0" in text
    assert 'ferrule_layer2_group_memberships{interface="eth0"} 2.0' in text
    counts.keep_only({"192.0.2.7"})
    assert "192.0.2.7" in generate_latest(metrics.registry).decode()
    counts.keep_only(())
    assert "192.0.2.7" not in generate_latest(metrics.registry).decode()
