from orchestrator.resources import core, metallb
from orchestrator.resources.encode import encode_object
from orchestrator.resources.meta import ObjectMeta
from orchestrator.resources.secret_text import SecretText

METADATA = ObjectMeta(name="x", namespace="n")


def test_object_says_its_version_and_kind_first() -> None:
    encoded = encode_object(metallb.BGPPeer(metadata=METADATA, spec=metallb.BGPPeerSpec(my_asn=1)))
    assert list(encoded) == ["apiVersion", "kind", "metadata", "spec"]
    assert (encoded["apiVersion"], encoded["spec"]) == ("metallb.io/v1beta2", {"myASN": 1})


def test_defaults_are_left_out_and_lists_are_lists() -> None:
    spec = core.ServiceSpec(cluster_ips=("10.0.0.1",), load_balancer_ip="192.0.2.1")
    encoded = encode_object(core.Service(metadata=METADATA, spec=spec))
    assert encoded["spec"] == {"clusterIPs": ["10.0.0.1"], "loadBalancerIP": "192.0.2.1"}
    assert "status" not in encoded


def test_pool_status_has_all_its_counts() -> None:
    pool = metallb.IPAddressPool(
        metadata=METADATA,
        spec=metallb.IPAddressPoolSpec(addresses=()),
        status=metallb.IPAddressPoolStatus(assigned_ipv4=1),
    )
    counts = {"assignedIPv4": 1, "assignedIPv6": 0, "availableIPv4": 0, "availableIPv6": 0}
    assert encode_object(pool)["status"] == counts


def test_secrets_are_opened_to_be_written() -> None:
    assert encode_object(core.Secret(metadata=METADATA, data={"k": SecretText("v")}))["data"] == {"k": "v"}
