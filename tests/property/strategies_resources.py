"""Objects of every kind, made from the structs themselves; the few fields with rules of their own have strategies here."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from msgspec import inspect

from orchestrator.resources import core, extensions, rules
from orchestrator.resources.kinds import KINDS, Kind, KubeObject
from orchestrator.resources.meta import ObjectMeta
from orchestrator.resources.secret_text import SecretText

# Words that YAML readers and writers disagree about are as likely as all other text.
TRICKY = (
    "",
    "on",
    "y",
    "No",
    "null",
    "~",
    "65000:10",
    "1e3",
    "0o17",
    "1_000",
    "2024-01-01",
    "<<",
    "=",
    "- a",
    "a: b",
    "# c",
)
texts = st.one_of(st.sampled_from(TRICKY), st.text(st.characters(codec="utf-8"), max_size=12))
labels = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)
names = st.lists(labels, min_size=1, max_size=3).map(".".join)
durations = st.builds("{}{}".format, st.integers(0, 10**6), st.sampled_from(("ms", "s", "m", "h")))
string_maps = st.dictionaries(texts, texts, max_size=3)

FIELDS: Mapping[tuple[type, str], st.SearchStrategy[Any]] = {
    (core.ServiceSpec, "type"): st.sampled_from(rules.SERVICE_TYPES),
    (core.ServiceSpec, "external_traffic_policy"): st.sampled_from(rules.TRAFFIC_POLICIES),
    (core.ServiceSpec, "ip_family_policy"): st.sampled_from((None, *rules.FAMILY_POLICIES)),
    (core.ServiceSpec, "ip_families"): st.lists(st.sampled_from(rules.FAMILIES), max_size=2).map(tuple),
    (core.ServicePort, "protocol"): st.sampled_from(rules.PROTOCOLS),
    (core.ServicePort, "port"): st.integers(1, 65535),
    (extensions.ServiceReference, "namespace"): labels,
    (extensions.ServiceReference, "name"): labels,
}


def objects() -> st.SearchStrategy[KubeObject]:
    """Valid objects of all kinds."""
    return st.sampled_from(KINDS).flatmap(objects_of)


def objects_of(kind: Kind) -> st.SearchStrategy[KubeObject]:
    """Valid objects of one kind."""
    metadata = st.builds(
        ObjectMeta,
        name=labels if kind.kind in {"Service", "Namespace"} else names,
        namespace=labels if kind.namespaced else st.just(""),
        uid=texts,
        generation=st.integers(0, 9),
        creation_timestamp=st.none() | texts,
        labels=string_maps,
        annotations=string_maps,
    )
    shape = inspect.type_info(kind.struct)
    assert isinstance(shape, inspect.StructType)
    others = {field.name: values(field.type) for field in shape.fields if field.name != "metadata"}
    made: st.SearchStrategy[KubeObject] = st.builds(kind.struct, metadata=metadata, **others)
    return made.filter(lambda obj: not rules.broken_rules(obj))


def values(shape: inspect.Type) -> st.SearchStrategy[Any]:
    """Values of a field's type, within its limits."""
    match shape:
        case inspect.Metadata(inner, extra_json_schema=schema):
            return durations if schema == {"examples": ["90s"]} else values(inner)
        case inspect.UnionType(types):
            return st.one_of(*map(values, types))
        case inspect.StructType():
            return structs(shape)
        case inspect.VarTupleType(item):
            return st.lists(values(item), min_size=shape.min_length or 0, max_size=3).map(tuple)
        case inspect.DictType(_, item):
            return st.dictionaries(texts, values(item), max_size=3)
        case inspect.LiteralType(choices):
            return st.sampled_from(choices)
        case _:
            return scalars(shape)


def scalars(shape: inspect.Type) -> st.SearchStrategy[Any]:
    match shape:
        case inspect.NoneType():
            return st.none()
        case inspect.IntType():
            return st.integers(shape.ge if shape.ge is not None else -(2**31), shape.le or 2**31)
        case inspect.BoolType():
            return st.booleans()
        case inspect.StrType():
            return texts
        case inspect.CustomType(cls) if cls is SecretText:
            return st.builds(SecretText, texts)
        case _:
            raise AssertionError(shape)


def structs(shape: inspect.StructType) -> st.SearchStrategy[Any]:
    fields = {
        field.name: FIELDS[shape.cls, field.name] if (shape.cls, field.name) in FIELDS else values(field.type)
        for field in shape.fields
    }
    return st.builds(shape.cls, **fields)
