"""Where the API server keeps a kind: URL paths of collections, objects and their statuses. Pure."""

from urllib.parse import quote

from orchestrator.resources.kinds import Kind


def collection(kind: Kind, namespace: str = "") -> str:
    """Return the path of all objects of a kind, or of those in one namespace; in the version that we write."""
    root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.api_version}"
    return f"{root}/namespaces/{quote(namespace, safe='')}/{kind.plural}" if namespace else f"{root}/{kind.plural}"


def item(kind: Kind, namespace: str, name: str) -> str:
    """Return the path of one object; `namespace` is empty for kinds that have none."""
    return f"{collection(kind, namespace)}/{quote(name, safe='')}"


def status(kind: Kind, namespace: str, name: str) -> str:
    """Return the path of one object's status."""
    return f"{item(kind, namespace, name)}/status"
