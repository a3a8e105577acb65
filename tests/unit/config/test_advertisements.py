from typing import Any

import pytest

from orchestrator.config.advertisements import Surroundings, bgp_claims_of, l2_claims_of
from orchestrator.config.claims import Knowledge
from orchestrator.config.model import NodeFacts, Weight
from orchestrator.resources.meta import Severity
from orchestrator.resources.metallb import PreferredNodeSelector
from orchestrator.resources.snapshot import ClusterSnapshot
from tests.support.objects import bgp_object, l2_object, labeled, named

NODES = {
    "n1": NodeFacts(name="n1", labels={"rack": "1", "fast": "yes"}),
    "n2": NodeFacts(name="n2", labels={"rack": "2"}),
}
AROUND = Surroundings(nodes=NODES, pool_names={"p"}, peer_names={"router"}, aliases={"red": "65000:1"})


def l2_claims(**spec: Any) -> Any:
    return l2_claims_of(Knowledge(ClusterSnapshot(l2_advertisements=named(l2_object("l", **spec))), {}), AROUND)


def bgp_claims(**spec: Any) -> Any:
    return bgp_claims_of(Knowledge(ClusterSnapshot(bgp_advertisements=named(bgp_object("b", **spec))), {}), AROUND)


def test_without_selectors_it_is_for_every_pool_and_node() -> None:
    draft = l2_claims().served[0].variants[0]
    assert draft.takes("any", {})
    assert draft.advertisement.nodes == {"n1", "n2"}


@pytest.mark.parametrize(
    ("spec", "taken"),
    [
        ({"ip_address_pools": ("p",)}, True),
        ({"ip_address_pools": ("q",)}, False),
        ({"ip_address_pool_selectors": (labeled(tier="1"),)}, True),
        ({"ip_address_pool_selectors": (labeled(tier="2"),)}, False),
        ({"ip_address_pools": ("q",), "ip_address_pool_selectors": (labeled(tier="1"),)}, True),
    ],
)
def test_pools_are_those_named_or_selected(spec: dict[str, Any], taken: bool) -> None:
    assert l2_claims(**spec).served[0].variants[0].takes("p", {"tier": "1"}) is taken


def test_preference_adds_weights_on_eligible_nodes() -> None:
    preferred = (
        PreferredNodeSelector(weight=10, preference=labeled(fast="yes")),
        PreferredNodeSelector(weight=5, preference=labeled()),
    )
    everywhere = l2_claims(preferred_node_selectors=preferred).served[0].variants[0]
    assert everywhere.advertisement.preference == {"n1": 15, "n2": 5}
    second = l2_claims(preferred_node_selectors=preferred, node_selectors=(labeled(rack="2"),)).served[0].variants[0]
    assert second.advertisement.preference == {"n2": 5}


def test_bgp_advertisement_is_read_with_all_fields() -> None:
    found = bgp_claims(
        communities=("red", "65000:2"),
        peers=("router",),
        local_pref=7,
        med=8,
        as_path_prepend=2,
        weight="endpoints",
        aggregation_length=24,
        aggregation_length_v6=64,
    )
    advertisement = found.served[0].variants[0].advertisement
    assert [str(community) for community in advertisement.communities] == ["65000:1", "65000:2"]
    assert (advertisement.peers, advertisement.local_pref) == ({"router"}, 7)
    assert (advertisement.med, advertisement.as_path_prepend) == (8, 2)
    assert advertisement.weight is Weight.ENDPOINTS
    assert (advertisement.aggregation_length, advertisement.aggregation_length_v6) == (24, 64)
    assert not found.problems


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"aggregation_length": 33}, "invalid aggregation length 33"),
        ({"aggregation_length_v6": 129}, "invalid aggregation length 129"),
        ({"communities": ("red", "red")}, 'duplicate definition of community "red"'),
        ({"peers": ("router", "router")}, 'duplicate definition of peers "router"'),
        ({"ip_address_pools": ("p", "p")}, 'duplicate definition of ipAddressPools "p"'),
        ({"communities": ("blue",)}, "invalid community format: blue"),
        (
            {"aggregation_length": 24, "service_selectors": (labeled(a="b"),)},
            "serviceSelectors and aggregationLength are mutually exclusive",
        ),
    ],
)
def test_bgp_advertisement_that_cannot_be_used_is_refused(spec: dict[str, Any], message: str) -> None:
    found = bgp_claims(**spec)
    assert not found.served
    assert found.problems[0].message.startswith(message)


def test_unknown_names_are_warned_of_and_used() -> None:
    found = bgp_claims(peers=("rooter",), ip_address_pools=("pool",))
    assert found.served
    assert [(problem.severity, problem.field) for problem in found.problems] == [
        (Severity.WARNING, "spec.ipAddressPools"),
        (Severity.WARNING, "spec.peers"),
    ]
    assert 'the nearest existing name is "router"' in found.problems[1].message


def test_interface_name_that_linux_refuses_is_refused() -> None:
    assert l2_claims(interfaces=("eth0", "not a link")).problems[0].field == "spec.interfaces[1]"
