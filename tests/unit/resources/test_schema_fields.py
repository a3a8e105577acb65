"""How a struct's types and annotations become a schema."""

from typing import Any

import pytest

from orchestrator.resources import extensions, metallb
from orchestrator.resources.meta import KubeStruct
from orchestrator.resources.schema_fields import object_schema
from tests.support.contract_crds import LABEL_SELECTOR, without_texts


def fields_of(struct: type[KubeStruct]) -> Any:
    schema: Any = object_schema(struct)
    return schema["properties"]["spec"]["properties"]


@pytest.mark.parametrize(
    ("struct", "field", "expected"),
    [
        (metallb.BGPPeer, "password", {"type": "string"}),
        (metallb.BGPPeer, "holdTime", {"type": "string"}),
        (metallb.BGPPeer, "ebgpMultiHop", {"type": "boolean"}),
        (metallb.BGPPeer, "disableMP", {"type": "boolean", "default": False}),
        (metallb.BGPPeer, "dynamicASN", {"type": "string", "enum": ["external", "internal"]}),
        (metallb.BGPPeer, "peerPort", {"type": "integer", "default": 179, "minimum": 1, "maximum": 16384}),
        (metallb.BGPAdvertisement, "localPref", {"type": "integer", "format": "int32"}),
        (metallb.BGPAdvertisement, "peers", {"type": "array", "items": {"type": "string"}}),
        (metallb.BGPAdvertisement, "nodeSelectors", {"type": "array", "items": LABEL_SELECTOR}),
        (metallb.L2Advertisement, "requireOnLink", {"type": "boolean"}),
        (extensions.SpeakerState, "announcedAddresses", {"type": "integer"}),
    ],
)
def test_field_becomes(struct: type[KubeStruct], field: str, expected: object) -> None:
    assert without_texts(fields_of(struct)[field]) == expected


def test_field_says_what_it_is_for_and_not_only_what_its_struct_is() -> None:
    peer = fields_of(metallb.BGPPeer)
    assert peer["passwordSecret"]["description"].startswith("Secret with the password")
    assert fields_of(metallb.IPAddressPool)["serviceAllocation"]["description"].startswith("Reserves the pool")


def test_objects_know_their_identity_and_keep_the_order_of_people() -> None:
    schema: Any = object_schema(metallb.IPAddressPool)
    assert list(schema["properties"]) == ["apiVersion", "kind", "metadata", "spec", "status"]
    assert schema["required"] == ["spec"]
    assert next(iter(fields_of(metallb.IPAddressPool))) == "addresses"


def test_equal_parts_are_not_one_object() -> None:
    first, second = (object_schema(metallb.L2Advertisement) for _ in range(2))
    assert first == second
    assert first["properties"] is not second["properties"]
