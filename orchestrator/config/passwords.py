"""The password of a BGPPeer: in the object, or in a Secret of our own namespace (contract 3.5).

A password that cannot be read is never an empty one: the peer is then known but locked, and its session stays as it is.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.config.claims import Subject
from orchestrator.config.findings import Findings
from orchestrator.config.tokens import password_fault
from orchestrator.resources.core import Secret
from orchestrator.resources.metallb import BGPPeerSpec, SecretReference
from orchestrator.resources.secret_text import SecretText

SECRET_TYPE = "kubernetes.io/basic-auth"  # noqa: S105 - a type's name
SECRET_FIELD = "spec.passwordSecret"  # noqa: S105 - a field's path


@dataclass(frozen=True, slots=True)
class Locked:
    """There is a password, and it cannot be read now."""


def password_of(
    subject: Subject[BGPPeerSpec], secrets: Mapping[str, Secret], findings: Findings
) -> SecretText | Locked | None:
    """Return the password, None for a session without one, or Locked with an error in `findings`."""
    reference = subject.spec.password_secret
    named = reference is not None and bool(reference.name)
    inline = _inline(subject)
    if named and inline is not None:
        findings.error(
            "spec.password",
            f'can not have both password and secret ref set in peer config "{subject.ref.namespace}"/'
            f'"{subject.ref.name}"; remove spec.password',
        )
        return Locked()
    if named and reference is not None:
        return _from_secret(subject, reference, secrets, findings)
    if isinstance(inline, SecretText):
        return _checked(inline, "spec.password", findings)
    return inline


def _inline(subject: Subject[BGPPeerSpec]) -> SecretText | Locked | None:
    """A last good spec does not hold its password: it is read from the object, if that can still be parsed."""
    if subject.memory is None:
        return subject.spec.password or None
    if not subject.memory.inline_password:
        return None
    return (subject.current.password if subject.current else None) or Locked()


def _from_secret(
    subject: Subject[BGPPeerSpec], reference: SecretReference, secrets: Mapping[str, Secret], findings: Findings
) -> SecretText | Locked:
    peer, namespace = subject.ref.name, subject.ref.namespace
    place = f'"{namespace}"/"{reference.name}"'
    secret = secrets.get(reference.name)
    if secret is None:
        fault = f'secret ref not found for peer config "{namespace}"/"{peer}"'
        remedy = f'create Secret {place} of type {SECRET_TYPE} with key "{reference.key}"'
    elif secret.type != SECRET_TYPE:
        fault = f'secret type mismatch on {place}, type "{SECRET_TYPE}" is expected '
        remedy = f'create it again with that type, it is "{secret.type}"'
    elif (password := _entry(secret, reference.key)) is None:
        fault = f"password not specified in the secret {place}"
        remedy = f'give it a key "{reference.key}" with a base64 value'
    else:
        return _checked(password, SECRET_FIELD, findings)
    findings.missing(SECRET_FIELD, f"parsing peer {peer} {fault}\nfailed to parse peer {peer} password secret", remedy)
    return Locked()


def _entry(secret: Secret, key: str) -> SecretText | None:
    """Entries of stringData override those of data, as the API server does on write."""
    if secret.string_data.get(key):
        return secret.string_data[key]
    encoded = secret.data.get(key)
    if not encoded:
        return None
    try:
        text = base64.b64decode(encoded.open(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return SecretText(text) if text else None


def _checked(password: SecretText, field: str, findings: Findings) -> SecretText | Locked:
    fault = password_fault(password.open())
    if fault is None:
        return password
    findings.error(field, f"{fault}", transient=field == SECRET_FIELD)
    return Locked()
