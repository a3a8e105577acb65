import json

import pytest

from orchestrator.errors import KubeError
from orchestrator.resources.core import EndpointSlice, Secret, Service
from orchestrator.resources.kinds import BY_NAME
from orchestrator.resources.meta import ObjectKey, ObjectRef
from orchestrator.resources.metallb import BGPPeer
from orchestrator.resources.parse import ParsedObject, parse_object
from orchestrator.sources.interface import Unusable, Upserted
from orchestrator.sources.kube.decode import HEAD, PAGE, WATCH_EVENT, EventKind, ObjectDecoder

KEY = ObjectKey("metallb-system", "x")


def decoded(kind: str, **fields: object) -> Upserted | Unusable:
    metadata = {"name": "x", "namespace": "metallb-system", "resourceVersion": "7", "managedFields": [{"manager": "m"}]}
    return ObjectDecoder(BY_NAME[kind]).event(KEY, json.dumps({"metadata": metadata, **fields}).encode())


def usable(event: Upserted | Unusable) -> Upserted:
    assert isinstance(event, Upserted), event
    return event


def test_list_item_without_kind_is_the_object_of_the_manifests() -> None:
    spec = {"type": "LoadBalancer", "ports": [{"port": 80, "targetPort": "http"}], "trafficDistribution": "new"}
    event = usable(decoded("Service", spec=spec))
    raw = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "x", "namespace": "metallb-system"},
        "spec": spec,
    }
    parsed = parse_object({**raw, "metadata": {**raw["metadata"], "resourceVersion": "7"}}, "metallb-system")  # type: ignore[dict-item]
    assert isinstance(parsed, ParsedObject)
    assert event.obj == parsed.obj
    assert isinstance(event.obj, Service)
    assert event.problems == ()


def test_unknown_fields_are_the_servers_business() -> None:
    assert usable(decoded("IPAddressPool", spec={"addresses": ["192.0.2.0/24"], "fromTheFuture": 1})).problems == ()


def test_null_means_absent() -> None:
    event = usable(decoded("EndpointSlice", addressType="IPv4", endpoints=None, ports=None))
    assert isinstance(event.obj, EndpointSlice)
    assert event.obj.endpoints == ()
    assert event.obj.ports == ()


def test_object_of_a_wrong_type_is_unusable_alone_and_says_why() -> None:
    event = decoded("BGPPeer", spec={"myASN": "64512", "peerPort": 99999})
    assert isinstance(event, Unusable)
    assert event.ref == ObjectRef("BGPPeer", "metallb-system", "x")
    assert [problem.field for problem in event.problems] == ["spec.myASN", "spec.peerPort"]


def test_rules_hold_as_for_manifests() -> None:
    event = decoded("BGPPeer", spec={"myASN": 1, "holdTime": "soon"})
    assert isinstance(event, Unusable)
    assert event.problems[0].field == "spec.holdTime"


def test_rules_hold_after_nulls_were_left_out() -> None:
    event = decoded("BGPPeer", spec={"myASN": 1, "holdTime": "soon", "vrf": None})
    assert isinstance(event, Unusable)
    assert event.problems[0].field == "spec.holdTime"


def test_peer_is_read_in_the_stored_version() -> None:
    peer = usable(decoded("BGPPeer", spec={"myASN": 1, "peerASN": 2, "password": "hunter2"})).obj
    assert isinstance(peer, BGPPeer)
    assert peer.spec.password.open() == "hunter2"
    assert "hunter2" not in repr(peer)


def test_secret_does_not_print() -> None:
    secret = usable(decoded("Secret", data={"password": "c2VjcmV0"})).obj
    assert isinstance(secret, Secret)
    assert secret.data["password"].open() == "c2VjcmV0"
    assert "c2VjcmV0" not in repr(secret)


@pytest.mark.parametrize("raw", [b"[1]", b'{"metadata": {"name": "\xff"}}', b"{"])
def test_object_that_cannot_be_read_at_all_is_unusable_under_its_key(raw: bytes) -> None:
    event = ObjectDecoder(BY_NAME["Community"]).event(KEY, raw)
    assert isinstance(event, Unusable)
    assert event.ref == ObjectRef("Community", *KEY)


def test_unusable_object_still_says_which_edit_it_is_and_what_was_said_of_it() -> None:
    said = {"type": "Accepted", "status": "False", "reason": "Invalid", "message": "m", "lastTransitionTime": "t"}
    raw = json.dumps(
        {"metadata": {"name": "lan", "generation": 7}, "spec": {"addresses": 1}, "status": {"conditions": [said]}}
    )
    event = ObjectDecoder(BY_NAME["IPAddressPool"]).event(ObjectKey("metallb-system", "lan"), raw.encode())
    assert isinstance(event, Unusable)
    assert event.generation == 7
    assert [(each.type, each.last_transition_time) for each in event.conditions] == [("Accepted", "t")]


def test_page_leaves_items_as_they_are() -> None:
    page = PAGE.decode(
        b'{"kind":"L","metadata":{"resourceVersion":"9","continue":"next"},"items":[{"metadata":{"name":"a"}}]}'
    )
    assert (page.metadata.resource_version, page.metadata.continue_) == ("9", "next")
    assert [HEAD.decode(raw).key for raw in page.items or ()] == [ObjectKey("", "a")]


@pytest.mark.parametrize("items", [b"null", b"[]"])
def test_page_may_be_empty(items: bytes) -> None:
    assert not PAGE.decode(b'{"metadata":{"resourceVersion":"9"},"items":' + items + b"}").items


def test_bookmark_carries_the_version() -> None:
    event = WATCH_EVENT.decode(
        b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"12","creationTimestamp":null}}}'
    )
    assert event.type is EventKind.BOOKMARK
    assert HEAD.decode(event.object).version == "12"


@pytest.mark.parametrize("body", [b"<html>", b'{"type":"SURPRISE","object":{}}', b"[]", b'{"type":"\xff"}'])
def test_what_is_no_api_server_is_an_error(body: bytes) -> None:
    with pytest.raises(KubeError, match="cannot be read"):
        WATCH_EVENT.decode(body)
