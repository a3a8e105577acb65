"""Lists the names of objects, and nothing else of them."""

import asyncio
from collections.abc import Mapping

import msgspec

from orchestrator.errors import KubeError
from orchestrator.resources.kinds import BY_NAME
from orchestrator.sources.kube import paths
from orchestrator.sources.kube.api import Api, Request
from orchestrator.sources.kube.decode import Document
from orchestrator.sources.kube.patience import Patience

PAGE = 500
LIMIT_S = 3.0
"""A server that starts answers 429 or 503 for moments, right after new definitions too; a process that asks is waiting."""
REFUSED = frozenset({401, 403, 404})
NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


async def list_names(api: Api, kind: str, namespace: str, selector: str) -> frozenset[str]:
    """Return the names of a kind's objects that match a label selector (empty: of all).

    Raises KubeError if it is refused, or fails again and again for LIMIT_S.
    """
    last = KubeError(f"{kind}: no answer within {LIMIT_S:g} s")

    def failed(error: KubeError) -> None:
        nonlocal last
        last = error
        if error.status in REFUSED:
            raise error

    try:
        async with asyncio.timeout(LIMIT_S):
            return await Patience().persist(lambda: _list(api, kind, namespace, selector), failed)
    except TimeoutError:
        raise last from None


async def _list(api: Api, kind: str, namespace: str, selector: str) -> frozenset[str]:
    found: set[str] = set()
    query = {"limit": str(PAGE), **({"labelSelector": selector} if selector else {})}
    while True:
        page = _NAMES.decode(await api.send(_request(kind, namespace, query)))
        found.update(item.metadata.name for item in page.items or ())
        if not page.metadata.continue_:
            return frozenset(found)
        query["continue"] = page.metadata.continue_


def _request(kind: str, namespace: str, query: Mapping[str, str]) -> Request:
    found = BY_NAME[kind]
    path = paths.collection(found, namespace)
    return Request(verb="list", resource=found.plural, method="GET", path=path, query=query, accept=NAMES_ONLY)


class _Meta(msgspec.Struct, frozen=True):
    name: str = ""


class _Item(msgspec.Struct, frozen=True):
    metadata: _Meta


class _ListMeta(msgspec.Struct, frozen=True):
    continue_: str = msgspec.field(default="", name="continue")


class _Names(msgspec.Struct, frozen=True):
    """A PartialObjectMetadataList; one without objects has null."""

    metadata: _ListMeta = _ListMeta()
    items: tuple[_Item, ...] | None = None


_NAMES = Document(_Names)
