from typing import Any

import pytest

from orchestrator.config.engines import refusals, usable
from orchestrator.config.resolve import resolve
from orchestrator.net.bgp import BgpEngine
from orchestrator.resources.meta import Severity
from orchestrator.resources.snapshot import snapshot_of
from tests.support.objects import NAMESPACE, bfd_object, bgp_object, config_map_object, peer_object, pool_object


def refused(engine: BgpEngine, **spec: Any) -> list[str]:
    pool = pool_object("p", "198.51.100.0/24", "2001:db8::/64")
    advertisement = bgp_object("all", communities=("large:65000:1:2",))
    present = (pool, advertisement, bfd_object("fast"), peer_object("tor", **spec), peer_object("plain", "192.0.2.2"))
    resolved = resolve(snapshot_of(present, {}, NAMESPACE, incomplete=False), {})
    assert resolved.problems == ()
    problems = refusals(engine, resolved.config)
    assert {problem.ref.name for problem in problems} <= {"tor"}
    assert all(problem.severity is Severity.ERROR for problem in problems)
    assert all(problem.message.endswith(", or use the FRR engine") for problem in problems)
    return [problem.field for problem in problems]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"bfd_profile": "fast"}, "spec.bfdProfile"),
        ({"vrf": "red"}, "spec.vrf"),
        ({"peer_address": "", "interface": "eth1"}, "spec.interface"),
        ({"peer_asn": 0, "dynamic_asn": "external"}, "spec.dynamicASN"),
        ({"connect_time": "5s"}, "spec.connectTime"),
        ({"hold_time": "9s", "keepalive_time": "1s"}, "spec.keepaliveTime"),
    ],
)
def test_exabgp_refuses_what_it_cannot_do_and_frr_does_it(spec: dict[str, Any], field: str) -> None:
    assert refused(BgpEngine.EXABGP, **spec) == [field]
    assert refused(BgpEngine.FRR, **spec) == []


@pytest.mark.parametrize(
    "spec",
    [
        {"dual_stack_address_family": True},
        {"local_asn": 64999},
        {"enable_graceful_restart": True},
        {"hold_time": "10s", "keepalive_time": "3s"},
        {"hold_time": "0s"},
        {"ebgp_multi_hop": True, "peer_port": 1179, "source_address": "192.0.2.9"},
    ],
)
def test_exabgp_does_what_metallbs_native_engine_refuses(spec: dict[str, Any]) -> None:
    assert refused(BgpEngine.EXABGP, **spec) == []


def test_everything_that_is_too_much_is_named() -> None:
    spec = {"bfd_profile": "fast", "vrf": "red", "connect_time": "5s"}
    assert refused(BgpEngine.EXABGP, **spec) == ["spec.bfdProfile", "spec.vrf", "spec.connectTime"]


def test_extra_frr_text_is_refused_and_touches_no_peer() -> None:
    present = (config_map_object("bgpextras", extras="router bgp 64512"), peer_object("bgpextras"))
    config = resolve(snapshot_of(present, {}, NAMESPACE, incomplete=False), {}).config
    served, problems = usable(BgpEngine.EXABGP, config)
    assert [(problem.ref.kind, problem.field) for problem in problems] == [("ConfigMap", "data.extras")]
    assert (served.extras, served.peers) == (None, config.peers)


def test_refused_peer_has_no_session_and_the_others_stay() -> None:
    tor, plain = peer_object("tor", vrf="red"), peer_object("plain", "192.0.2.2")
    config = resolve(snapshot_of((tor, plain), {}, NAMESPACE, incomplete=False), {}).config
    served, problems = usable(BgpEngine.EXABGP, config)
    assert served.peers.keys() == {"plain"}
    assert [problem.ref.name for problem in problems] == ["tor"]
    assert usable(BgpEngine.FRR, config) == (config, ())
