"""The values of a Secret: base64 in `data`, plain in `stringData`."""

from base64 import b64decode
from binascii import Error

from orchestrator.errors import InvalidConfig
from orchestrator.resources.core import Secret
from orchestrator.resources.secret_text import SecretText


def secret_value(secret: Secret, key: str) -> SecretText:
    """Return the text under `key`; `stringData` wins, as in the API server. Raises InvalidConfig if there is none."""
    if key in secret.string_data:
        return secret.string_data[key]
    if key not in secret.data:
        raise InvalidConfig(f'Secret {secret.metadata.key} has no key "{key}"; add it, or name another key')
    try:
        return SecretText(b64decode(secret.data[key].open(), validate=False).decode())
    except (Error, ValueError):
        remedy = "encode it with base64, or write it under stringData"
        raise InvalidConfig(
            f'data["{key}"] of Secret {secret.metadata.key} is not base64 of UTF-8 text; {remedy}'
        ) from None
