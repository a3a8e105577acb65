"""Laws of parsing: it inverts encoding, it says something about every object that it refuses, it opens no password."""

from typing import Any

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from orchestrator.resources.encode import encode_object
from orchestrator.resources.fields import decode_secret, type_faults
from orchestrator.resources.kinds import BY_STRUCT, KINDS, Kind, KubeObject
from orchestrator.resources.metallb import BGPPeer, BGPPeerSpec, SecretReference
from orchestrator.resources.parse import Ignored, ParsedObject, Refused, items_of, parse_object
from orchestrator.sources.manifests.documents import read_documents
from orchestrator.sources.manifests.writing import to_yaml
from tests.property.strategies_resources import objects, texts

slowly = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@slowly
@given(objects())
def test_parse_inverts_encode(obj: KubeObject) -> None:
    assert parse_object(encode_object(obj), "unused") == ParsedObject(obj)


@slowly
@given(objects())
def test_reading_inverts_writing(obj: KubeObject) -> None:
    (document,) = read_documents(to_yaml(encode_object(obj)))
    assert document.faults == ()
    assert parse_object(document.value, "unused") == ParsedObject(obj)


@slowly
@given(json_values)
def test_yaml_of_any_value_reads_back(value: object) -> None:
    assume(value is not None)
    (document,) = read_documents(to_yaml(value))
    assert document.value == value


@given(texts, texts)
def test_foreign_kinds_are_ignored(group: str, name: str) -> None:
    assert parse_object({"apiVersion": f"example.com{group}/v1", "kind": f"X{name}"}, "n") == Ignored(
        f"example.com{group}/v1", f"X{name}"
    )


def spoiled(obj: KubeObject, data: st.DataObject) -> dict[str, object]:
    """The object's encoding with one value, anywhere, replaced by another."""
    raw = encode_object(obj)
    place: Any = raw
    path = [data.draw(st.sampled_from(sorted(set(raw) - {"apiVersion", "kind"})))]
    while isinstance(place[path[-1]], dict | list) and place[path[-1]] and data.draw(st.booleans()):
        place = place[path[-1]]
        path.append(data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place)))))
    place[path[-1]] = data.draw(json_values)
    return raw


@slowly
@given(objects(), st.data())
def test_every_refusal_has_a_reason(obj: KubeObject, data: st.DataObject) -> None:
    outcome = parse_object(spoiled(obj, data), "n")
    assert not isinstance(outcome, Ignored)
    if isinstance(outcome, Refused):
        assert outcome.problems
        assert all(problem.message and "cannot be read" not in problem.message for problem in outcome.problems)


@slowly
@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(("metadata", "spec", "status", "data")), json_values))
def test_type_faults_are_found_exactly_where_msgspec_refuses(kind: Kind, raw: dict[str, object]) -> None:
    try:
        msgspec.convert(raw, kind.struct, dec_hook=decode_secret)
    except msgspec.ValidationError:
        assert type_faults(raw, kind.struct)
    else:
        assert not type_faults(raw, kind.struct)


@given(st.sampled_from(("password", "passwordSecret", "pasword", "peerASN", "nodeSelectors")))
def test_no_message_shows_a_password(field: str) -> None:
    raw = {
        "apiVersion": "metallb.io/v1beta2",
        "kind": "BGPPeer",
        "metadata": {"name": "p"},
        "spec": {"myASN": 1, "password": ["hunter2"], "passwordSecret": "hunter2", field: {"hunter2": "hunter2"}},
    }
    outcome = parse_object(raw, "n")
    assert isinstance(outcome, Refused)
    assert "hunter2" not in "".join(problem.message for problem in outcome.problems)


@slowly
@given(st.lists(objects(), max_size=3))
def test_a_list_is_its_items(members: list[KubeObject]) -> None:
    raw = {"apiVersion": "v1", "kind": "List", "items": [encode_object(member) for member in members]}
    parsed = [parse_object(item, "n") for _, item in items_of(raw)]
    assert parsed == [ParsedObject(member) for member in members]


@slowly
@given(st.lists(objects(), min_size=1, max_size=3))
def test_a_typed_list_gives_its_kind_to_its_items(members: list[KubeObject]) -> None:
    kind = BY_STRUCT[type(members[0])]
    alike = [member for member in members if type(member) is type(members[0])]
    items = [{key: part for key, part in encode_object(member).items() if key == "metadata"} for member in alike]
    raw = {"apiVersion": kind.api_version, "kind": f"{kind.kind}List", "items": items}
    refs = []
    for _, item in items_of(raw):
        assert isinstance(item, dict)
        refs.append((item["apiVersion"], item["kind"]))
    assert refs == [(kind.api_version, kind.kind)] * len(alike)


def test_key_of_a_password_secret_has_a_default() -> None:
    peer = {"myASN": 1, "passwordSecret": {"name": "s"}}
    raw = {"apiVersion": "metallb.io/v1beta2", "kind": "BGPPeer", "metadata": {"name": "p"}, "spec": peer}
    outcome = parse_object(raw, "n")
    assert isinstance(outcome, ParsedObject)
    assert isinstance(outcome.obj, BGPPeer)
    assert outcome.obj.spec == BGPPeerSpec(my_asn=1, password_secret=SecretReference(name="s", key="password"))
