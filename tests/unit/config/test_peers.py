from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.config.claims import Claims, Knowledge
from orchestrator.config.model import BfdProfile, NodeFacts, RemoteAs
from orchestrator.config.peers import Draft, Surroundings, claims_of
from orchestrator.resources.meta import Severity
from orchestrator.resources.metallb import SecretReference
from orchestrator.resources.snapshot import ClusterSnapshot
from tests.support.objects import ips, labeled, named, peer_object, ref

NODES = {name: NodeFacts(name=name, labels={"rack": name}) for name in ("n1", "n2")}


def claims(profiles: Mapping[str, BfdProfile] | None = None, **spec: Any) -> Claims[Draft]:
    snapshot = ClusterSnapshot(peers=named(peer_object("p", **spec)))
    around = Surroundings(nodes=NODES, bfd_profiles=profiles or {}, secrets={})
    return claims_of(Knowledge(snapshot, {}), around)


def test_peer_is_read_with_all_fields() -> None:
    profiles = {"fast": BfdProfile(name="fast", origin=ref("BFDProfile", "fast"))}
    draft = (
        claims(
            profiles,
            bfd_profile="fast",
            hold_time="9s",
            router_id="10.0.0.1",
            source_address="10.0.0.2",
            node_selectors=(labeled(rack="n2"),),
            vrf="blue",
            local_asn=65000,
            ebgp_multi_hop=True,
        )
        .served[0]
        .variants[0]
    )
    peer = draft.peer
    assert (peer.neighbor, peer.vrf, peer.local_asn) == ("192.0.2.1", "blue", 65000)
    assert peer.nodes == {"n2"}
    assert (peer.hold_time, peer.keepalive_time) == (timedelta(seconds=9), timedelta(seconds=3))
    assert (peer.router_id, peer.source_address) == ips("10.0.0.1", "10.0.0.2")
    assert not draft.locked


def test_unnumbered_peer_with_dynamic_asn() -> None:
    found = claims(peer_address="", interface="eth1", peer_asn=0, dynamic_asn="external")
    peer = found.served[0].variants[0].peer
    assert (peer.neighbor, peer.remote_as) == ("eth1", RemoteAs.EXTERNAL)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"my_asn": 0}, "parsing peer p missing local ASN"),
        ({"peer_asn": 0}, "parsing peer p missing peer ASN and dynamicASN"),
        ({"dynamic_asn": "external"}, "parsing peer p both peer ASN and dynamicASN specified"),
        ({"peer_asn": 64512, "ebgp_multi_hop": True}, "parsing peer p invalid ebgp-multihop parameter set for an ibgp"),
        ({"peer_address": ""}, "parsing peer p peer has no Address or Interface specified"),
        ({"interface": "eth0"}, "parsing peer p peer has both Address and Interface specified"),
        ({"peer_address": "router.example"}, 'parsing peer p invalid BGPPeer address "router.example"'),
        ({"router_id": "2001:db8::1"}, 'parsing peer p invalid router ID "2001:db8::1"'),
        ({"router_id": "one"}, 'parsing peer p invalid router ID "one"'),
        ({"source_address": "10.0.0"}, 'parsing peer p invalid source IP "10.0.0"'),
        ({"bfd_profile": "fast"}, "peer p referencing non existing bfd profile fast"),
        ({"vrf": "blue green"}, "'blue green' is not a link's name"),
        ({"hold_time": "1s"}, "invalid hold time 1s"),
    ],
)
def test_peer_that_cannot_work_is_refused_in_known_words(spec: dict[str, Any], message: str) -> None:
    found = claims(**spec)
    assert not found.served
    assert found.unclaimed == {"p"}
    assert found.problems[0].message.startswith(message)


def test_every_problem_is_found_in_one_pass() -> None:
    found = claims(my_asn=0, peer_address="x", router_id="y", hold_time="1s")
    assert [problem.field for problem in found.problems] == [
        "spec.myASN",
        "spec.peerAddress",
        "spec.routerID",
        "spec.holdTime",
    ]


def test_disable_mp_is_told_and_used() -> None:
    found = claims(disable_mp=True)
    assert found.served
    assert [problem.severity for problem in found.problems] == [Severity.WARNING]


def test_peer_without_its_secret_is_known_but_locked() -> None:
    found = claims(password_secret=SecretReference(name="s"))
    assert found.served[0].variants[0].locked
    assert found.served[0].variants[0].peer.password is None
    assert found.problems[0].transient
