"""Struct to plain mapping with apiVersion and kind, as it is written: the inverse of `parse`."""

import msgspec

from orchestrator.resources.kinds import BY_STRUCT, KubeObject
from orchestrator.resources.secret_text import SecretText


def encode_object(obj: KubeObject) -> dict[str, object]:
    """Return the object as Kubernetes writes it, without fields at their defaults. Opens passwords."""
    kind = BY_STRUCT[type(obj)]
    # By way of JSON: it leaves lists and mappings only, where to_builtins keeps tuples.
    fields: dict[str, object] = msgspec.json.decode(msgspec.json.encode(obj, enc_hook=_open_secret))
    return {"apiVersion": kind.api_version, "kind": kind.kind, **fields}


def _open_secret(value: object) -> str:
    if isinstance(value, SecretText):
        return value.open()
    raise TypeError(f"{type(value).__name__} has no place in an object")
