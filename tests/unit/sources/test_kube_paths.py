import pytest

from orchestrator.resources.kinds import BY_NAME
from orchestrator.sources.kube import paths


@pytest.mark.parametrize(
    ("kind", "namespace", "path"),
    [
        ("Service", "", "/api/v1/services"),
        ("Secret", "metallb-system", "/api/v1/namespaces/metallb-system/secrets"),
        ("EndpointSlice", "", "/apis/discovery.k8s.io/v1/endpointslices"),
        ("BGPPeer", "metallb-system", "/apis/metallb.io/v1beta2/namespaces/metallb-system/bgppeers"),
        ("Failover", "x", "/apis/ferrule.io/v1alpha1/namespaces/x/failovers"),
    ],
)
def test_collection_is_where_the_api_server_keeps_it(kind: str, namespace: str, path: str) -> None:
    assert paths.collection(BY_NAME[kind], namespace) == path


def test_status_is_below_its_object() -> None:
    assert paths.item(BY_NAME["Node"], "", "a") == "/api/v1/nodes/a"
    assert paths.status(BY_NAME["Service"], "default", "web") == "/api/v1/namespaces/default/services/web/status"


def test_slash_in_a_name_stays_in_the_name() -> None:
    assert paths.item(BY_NAME["Node"], "", "../pods/x") == "/api/v1/nodes/..%2Fpods%2Fx"
