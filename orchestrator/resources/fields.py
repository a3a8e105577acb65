"""A raw object held against its struct: which fields are unknown, which values are of the wrong type.

msgspec stops at the first wrong value and does not name unknown fields; a person wants to see everything at once. Paths
are those of kubectl: `spec.addresses[2]`, `metadata.labels[app]`. No value that may be a password is ever shown.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

import msgspec
from msgspec import inspect

from orchestrator.resources.meta import KubeStruct
from orchestrator.resources.secret_text import SecretText


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong field; `message` ends with the remedy."""

    field: str
    message: str


def join(path: str, name: str) -> str:
    """Return the path of a field below `path`."""
    return f"{path}.{name}" if path else name


def without_nulls(value: object) -> object:
    """Return a copy without the keys whose value is null: Kubernetes takes such fields as absent."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [without_nulls(inner) for inner in value]
    return value


# --- unknown fields ---------------------------------------------------------------------------------------------


def unknown_fields(raw: Mapping[str, object], struct: type[KubeStruct], path: str = "") -> Iterator[Fault]:
    """Yield every field that neither the struct nor its UNUSED names; nothing below values of the wrong type."""
    known = _inner_structs(struct)
    for name, value in raw.items():
        place = join(path, name)
        if name not in known:
            if not struct.OPEN and name not in struct.UNUSED:
                yield Fault(place, _unknown(name, known))
        elif (inner := known[name]) is not None:
            if isinstance(value, dict):
                yield from unknown_fields(value, inner, place)
            elif isinstance(value, list):
                for index, item in enumerate(value):
                    if isinstance(item, dict):
                        yield from unknown_fields(item, inner, f"{place}[{index}]")


@cache
def _inner_structs(struct: type[KubeStruct]) -> Mapping[str, type[KubeStruct] | None]:
    """The fields of a struct, each with the struct that it (or each of its items) is, if any."""
    return {field.encode_name: _inner_struct(field.type) for field in _fields(struct)}


def _inner_struct(shape: inspect.Type) -> type[KubeStruct] | None:
    shape = _present(shape)
    if isinstance(shape, inspect.VarTupleType):
        shape = _present(shape.item_type)
    if isinstance(shape, inspect.StructType) and issubclass(shape.cls, KubeStruct):
        return shape.cls
    return None


def _unknown(name: str, known: Mapping[str, object]) -> str:
    nearest = get_close_matches(name, known, n=1, cutoff=0.6)
    if nearest:
        return f'unknown field; did you mean "{nearest[0]}"?'
    return f"unknown field; remove it (known here: {', '.join(sorted(known))})"


# --- wrong values -----------------------------------------------------------------------------------------------


def type_faults(raw: object, struct: type[KubeStruct]) -> tuple[Fault, ...]:
    """Return every value that the struct does not take, and every required field that is absent."""
    return tuple(_value_faults(raw, _shape(struct), ""))


@cache
def _shape(struct: type[KubeStruct]) -> inspect.Type:
    return inspect.type_info(struct)


def _fields(struct: type[KubeStruct]) -> tuple[inspect.Field, ...]:
    shape = _shape(struct)
    assert isinstance(shape, inspect.StructType)
    return shape.fields


def _present(shape: inspect.Type) -> inspect.Type:
    """The type of a value that is there: without None and annotations."""
    if isinstance(shape, inspect.Metadata):
        return _present(shape.type)
    if isinstance(shape, inspect.UnionType):
        present = [inner for inner in shape.types if not isinstance(inner, inspect.NoneType)]
        return _present(present[0]) if len(present) == 1 else shape
    return shape


def _value_faults(value: object, shape: inspect.Type, path: str) -> Iterator[Fault]:
    plain = _present(shape)
    if isinstance(plain, inspect.StructType):
        yield from _struct_faults(value, plain, path)
    elif isinstance(plain, inspect.VarTupleType):
        yield from _list_faults(value, plain, path)
    elif isinstance(plain, inspect.DictType):
        yield from _mapping_faults(value, plain, path)
    elif wrong := _wrong_leaf(value, plain):
        yield Fault(path, wrong + _example(shape, value))


def _struct_faults(value: object, shape: inspect.StructType, path: str) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield Fault(path, f'expected a mapping, found {_kind(value)}; write its fields below it as "name: value"')
        return
    for field in shape.fields:
        place = join(path, field.encode_name)
        if field.encode_name in value:
            yield from _value_faults(value[field.encode_name], field.type, place)
        elif field.required:
            yield Fault(place, "is required; add it")


def _list_faults(value: object, shape: inspect.VarTupleType, path: str) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield Fault(path, f'expected a list, found {_kind(value)}; start each entry with "- "')
        return
    if len(value) < (shape.min_length or 0):
        yield Fault(path, f"needs at least {shape.min_length} entry; add one")
    for index, item in enumerate(value):
        yield from _value_faults(item, shape.item_type, f"{path}[{index}]")


def _mapping_faults(value: object, shape: inspect.DictType, path: str) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield Fault(path, f'expected a mapping, found {_kind(value)}; write its entries below it as "name: value"')
        return
    for key, item in value.items():
        yield from _value_faults(item, shape.value_type, f"{path}[{key}]")


def _wrong_leaf(value: object, shape: inspect.Type) -> str:
    """Return what is wrong with a value that has no parts, empty if nothing is."""
    match shape:
        case inspect.IntType():
            return _wrong_number(value, shape)
        case inspect.StrType():
            return "" if isinstance(value, str) else f"expected text, found {_found(value)}; put it in quotes"
        case inspect.BoolType():
            wrong = f"expected true or false, found {_found(value)}; write true or false without quotes"
            return "" if isinstance(value, bool) else wrong
        case inspect.LiteralType():
            choices = " or ".join(f'"{choice}"' for choice in shape.values if choice)
            right = isinstance(value, str) and value in shape.values
            return "" if right else f"expected {choices}, found {_found(value)}; write one of them"
        case inspect.UnionType():
            right = isinstance(value, int | str) and not isinstance(value, bool)
            return "" if right else f"expected a whole number or text, found {_found(value)}; write one of them"
        case _:  # SecretText, whose value is never shown
            return "" if isinstance(value, str) else f"expected text, found {_kind(value)}; put it in quotes"


def _wrong_number(value: object, shape: inspect.IntType) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        digits = isinstance(value, str) and value.strip().lstrip("-").isdigit()
        remedy = "remove the quotes" if digits else "write a whole number"
        return f"expected a whole number, found {_found(value)}; {remedy}"
    if shape.ge is not None and value < shape.ge:
        return f"{value} is too small; write a number {_limits(shape)}"
    if shape.le is not None and value > shape.le:
        return f"{value} is too large; write a number {_limits(shape)}"
    return ""


def _limits(shape: inspect.IntType) -> str:
    return f"of at least {shape.ge}" if shape.le is None else f"from {shape.ge} to {shape.le}"


def _example(shape: inspect.Type, value: object) -> str:
    """An example from the field's annotation, when a value that is no text stands where text belongs."""
    if isinstance(shape, inspect.UnionType):
        shape = next(inner for inner in shape.types if not isinstance(inner, inspect.NoneType))
    if isinstance(shape, inspect.Metadata) and shape.extra_json_schema and not isinstance(value, str):
        return "".join(f', for example "{text}"' for text in shape.extra_json_schema.get("examples", ()))
    return ""


def _kind(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "a mapping"


def _found(value: object) -> str:
    match value:
        case bool():
            return f"the boolean {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case str():
            return f'the text "{value[:80]}"'
        case _:
            return _kind(value)


def decode_secret(target: type, value: object) -> object:
    """Hook of msgspec.convert: text becomes SecretText."""
    if target is SecretText and isinstance(value, str):
        return SecretText(value)
    raise msgspec.ValidationError("expected text")
