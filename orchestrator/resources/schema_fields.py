"""Struct -> OpenAPI v3 schema, as CustomResourceDefinitions have it.

Types, names and enums come from the struct, limits and formats from the `Meta` on its fields, the rest from the tables
of `schema_rules` and `schema_texts`. A default is written only where the struct says `FILLED_IN`: the API server would
put any other into every object that MetalLB's schema leaves without.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import inspect

from orchestrator.resources import schema_rules as rules
from orchestrator.resources.meta import Condition, KubeStruct
from orchestrator.resources.schema_rules import Rule, Schema, Struct
from orchestrator.resources.schema_texts import TEXTS

IDENTITY: Mapping[str, Schema] = {
    "apiVersion": {"description": "Group and version of the schema that the object is written in.", "type": "string"},
    "kind": {"description": "What the object is. Cannot be changed.", "type": "string"},
    "metadata": {"type": "object"},
}
"""The fields of every object, which the API server knows better than a schema may say."""


def object_schema(struct: Struct) -> Schema:
    """Return the schema of a whole object: a struct with `metadata`."""
    parts = _properties(struct)
    if empty := rules.EMPTY_PARTS.get(struct):
        parts[empty] = {"description": TEXTS[struct][empty], "type": "object"}
    return _object(struct, {**IDENTITY, **dict(sorted(parts.items()))})


def _object(struct: Struct, properties: Mapping[str, Schema]) -> Schema:
    text = TEXTS[struct].get("")
    required = rules.REQUIRED.get(struct, _without_default(struct))
    return {
        **({"description": text} if text else {}),
        "type": "object",
        **({"required": sorted(required)} if required else {}),
        "properties": dict(properties),
        **({"x-kubernetes-map-type": "atomic"} if struct in rules.ATOMIC else {}),
        **_validations(rules.STRUCT_RULES.get(struct, ())),
    }


def _without_default(struct: Struct) -> tuple[str, ...]:
    return tuple(field.encode_name for field in _fields(struct) if field.required and field.encode_name not in IDENTITY)


def _properties(struct: Struct) -> dict[str, Schema]:
    return {
        field.encode_name: _property(struct, field) for field in _fields(struct) if field.encode_name not in IDENTITY
    }


def _fields(struct: Struct) -> tuple[inspect.Field, ...]:
    shape = inspect.type_info(struct)
    assert isinstance(shape, inspect.StructType)
    return shape.fields


def _property(struct: Struct, field: inspect.Field) -> Schema:
    """One field; its own text comes before that of the struct that it is."""
    name = field.encode_name
    value = _value(field.type, empty_is_written=not struct.__struct_config__.omit_defaults and field.default == "")
    text = value.pop("description", "")
    return {
        "description": TEXTS[struct].get(name) or text,
        **({"default": field.default} if _marks(field.type).extra.get("filled_in") else {}),
        **value,
        **(rules.CONDITION_FIELDS[name] if struct is Condition else {}),
        **rules.FIELD_LIMITS.get((struct, name), {}),
        **rules.FIELD_MARKS.get((struct, name), {}),
        **_validations(rules.FIELD_RULES.get((struct, name), ())),
    }


def _validations(found: tuple[Rule, ...]) -> Schema:
    if not found:
        return {}
    return {"x-kubernetes-validations": [{"message": rule.message, "rule": rule.cel} for rule in found]}


# --- types ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Marks:
    """A type without None and annotations, and what the annotations say."""

    shape: inspect.Type
    schema: Mapping[str, object]
    extra: Mapping[str, object]


def _marks(shape: inspect.Type) -> _Marks:
    if isinstance(shape, inspect.UnionType):
        (shape,) = (inner for inner in shape.types if not isinstance(inner, inspect.NoneType))
    if isinstance(shape, inspect.Metadata):
        return _Marks(shape.type, shape.extra_json_schema or {}, shape.extra or {})
    return _Marks(shape, {}, {})


def _value(declared: inspect.Type, *, empty_is_written: bool = False) -> Schema:
    marks = _marks(declared)
    match marks.shape:
        case inspect.StructType(cls=cls):
            assert issubclass(cls, KubeStruct)
            return _object(cls, _properties(cls))
        case inspect.VarTupleType(item_type=item, min_length=least):
            return {"type": "array", "items": _value(item), **({"minItems": least} if least else {})}
        case inspect.DictType(value_type=value):
            return {"type": "object", "additionalProperties": _value(value)}
        case inspect.LiteralType(values=values):
            # The empty text is our word for an absent field.
            return {"type": "string", "enum": [value for value in values if value or empty_is_written]}
        case inspect.IntType():
            return _number(marks.shape, marks)
        case inspect.BoolType():
            return {"type": "boolean"}
        case _:  # text, secret or not
            return {"type": "string"}


def _number(shape: inspect.IntType, marks: _Marks) -> Schema:
    named = {"format": marks.schema["format"]} if "format" in marks.schema else {}
    limits = {} if marks.extra.get("unlimited") else {"minimum": shape.ge, "maximum": shape.le}
    return {"type": "integer", **named, **{name: limit for name, limit in limits.items() if limit is not None}}
