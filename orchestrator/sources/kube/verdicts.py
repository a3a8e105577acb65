"""What an error of the API server means for a write. Pure.

The words that are looked for are those of Kubernetes 1.28 to 1.34: RBAC says `cannot patch resource "services/status"`,
an object that is not there is named (`services "a" not found`), a kind that is not there is not (`404 page not found`,
`the server could not find the requested resource`).
"""

import re
from enum import Enum

from orchestrator.errors import KubeError

RBAC = re.compile(r'(User "[^"]*" )?cannot \w+ resource( "[^"]*"( in API group "[^"]*")?)?')
"""Without the name and the namespace of the object: it is the same for all of them."""


class Verdict(Enum):
    """Who or what is in the way."""

    REFUSED = "refused"
    """This object, or what we want of it: a webhook, a policy, its schema, its namespace."""
    KIND_REFUSED = "kind refused"
    """Every object of the kind: its CRD is not installed, or an RBAC rule is missing."""
    NOT_NOW = "not now"
    """Everything: no answer, no credentials, too busy."""
    CONFLICT = "conflict"
    """Somebody else wrote the object at the same time."""


def judge(error: KubeError, name: str) -> Verdict:
    """Return what an error means for the write of the object called `name`."""
    text = str(error)
    match error.status:
        case 409:
            return Verdict.CONFLICT
        case 403:
            return Verdict.KIND_REFUSED if RBAC.search(text) else Verdict.REFUSED
        case 404:
            return Verdict.REFUSED if names_object(error, name) or 'namespaces "' in text else Verdict.KIND_REFUSED
        case 0 | 401 | 408 | 429:
            return Verdict.NOT_NOW
        case status if status >= 500:
            return Verdict.REFUSED if "webhook" in text else Verdict.NOT_NOW
        case _:
            return Verdict.REFUSED


def names_object(error: KubeError, name: str) -> bool:
    """Whether a 404 says that the object is not there; else its kind, or its namespace, is not."""
    return error.status == 404 and f'"{name}" not found' in str(error) and f'namespaces "{name}"' not in str(error)


def reason_of(error: KubeError, verdict: Verdict) -> str:
    """Return the words for people; they end with what to do where that is not in the answer."""
    text = str(error)
    if verdict is Verdict.KIND_REFUSED:
        if (rule := RBAC.search(text)) is not None:
            return f"{rule[0]}; apply the RBAC rules of deploy/manifests"
        return f"{text.strip()}; apply the CRDs of deploy/crds"
    if error.status >= 500 and "webhook" in text:
        return f"{text}; mend or remove the webhook"
    return text
