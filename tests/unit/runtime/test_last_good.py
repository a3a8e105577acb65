"""Last good specs survive the way through a ConfigMap."""

from orchestrator.resources.meta import ObjectRef
from orchestrator.runtime.last_good import from_config_map, to_config_map

NAMESPACE = "metallb-system"


def test_reading_inverts_writing() -> None:
    last_good = {
        ObjectRef("IPAddressPool", NAMESPACE, "edge.v4"): b'{"addresses":["192.0.2.0/24"]}',
        ObjectRef("BGPPeer", NAMESPACE, "tor"): b"{}",
    }
    assert from_config_map(to_config_map(last_good, NAMESPACE)) == last_good


def test_nothing_is_known_without_a_config_map() -> None:
    assert from_config_map(None) == {}
