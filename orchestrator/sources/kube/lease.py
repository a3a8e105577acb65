"""The Lease of the controllers, and which versions of Services there are: what an election asks of the API server."""

import msgspec

from orchestrator.errors import KubeError
from orchestrator.fsm.leadership import LeaseRecord
from orchestrator.resources.kinds import BY_NAME
from orchestrator.resources.meta import ObjectKey
from orchestrator.sources.kube import paths
from orchestrator.sources.kube.api import Api, Request
from orchestrator.sources.kube.decode import HEAD, PAGE, Document
from orchestrator.sources.kube.verdicts import names_object

PAGE_SIZE = 1000
LIST_LIMIT_S = 10.0
NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class _Metadata(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    name: str = ""
    namespace: str = ""
    resource_version: str = ""


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    """`null` and absent are alike here."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class _Lease(msgspec.Struct, frozen=True, rename="camel"):
    metadata: _Metadata
    spec: _Spec = _Spec()


_LEASE = Document(_Lease)


class Lease:
    """One Lease by its name."""

    def __init__(self, api: Api, namespace: str, name: str) -> None:
        self._api = api
        self._metadata = _Metadata(name=name, namespace=namespace)
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"

    async def read(self, limit_s: float) -> LeaseRecord:
        """Return the Lease, an empty record if there is none. Raises KubeError."""
        try:
            body = await self._api.send(self._request("get", "GET"), limit_s)
        except KubeError as error:
            if names_object(error, self._metadata.name):
                return LeaseRecord()
            raise
        lease = _LEASE.decode(body)
        return LeaseRecord(
            holder=lease.spec.holder_identity or "",
            duration_s=lease.spec.lease_duration_seconds or 0,
            acquired=lease.spec.acquire_time or "",
            renewed=lease.spec.renew_time or "",
            transitions=lease.spec.lease_transitions or 0,
            resource_version=lease.metadata.resource_version,
        )

    async def write(self, record: LeaseRecord, limit_s: float) -> str:
        """Write it if it has the record's version, or does not exist if the record has none; return the new version.

        Raises KubeError: 409 or 404 if somebody else was faster.
        """
        spec = _Spec(
            holder_identity=record.holder,
            lease_duration_seconds=record.duration_s,
            acquire_time=record.acquired or None,
            renew_time=record.renewed or None,
            lease_transitions=record.transitions,
        )
        metadata = msgspec.structs.replace(self._metadata, resource_version=record.resource_version)
        body = msgspec.json.encode(
            {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
        )
        request = self._request("update", "PUT", body) if record.resource_version else self._creation(body)
        return HEAD.decode(await self._api.send(request, limit_s)).version

    def _request(self, verb: str, method: str, body: bytes | None = None) -> Request:
        return Request(
            verb=verb, resource="leases", method=method, path=f"{self._collection}/{self._metadata.name}", body=body
        )

    def _creation(self, body: bytes) -> Request:
        return Request(verb="create", resource="leases", method="POST", path=self._collection, body=body)


async def load_balancer_versions(api: Api) -> dict[ObjectKey, str]:
    """Return the resourceVersion of every Service of type LoadBalancer, as of now or later. Raises KubeError."""
    found: dict[ObjectKey, str] = {}
    query = {"fieldSelector": "spec.type=LoadBalancer", "limit": str(PAGE_SIZE)}
    path = paths.collection(BY_NAME["Service"])
    while True:
        request = Request(verb="list", resource="services", method="GET", path=path, query=query, accept=NAMES_ONLY)
        page = PAGE.decode(await api.send(request, LIST_LIMIT_S))
        heads = (HEAD.decode(raw) for raw in page.items or ())
        found.update((head.key, head.version) for head in heads)
        if not page.metadata.continue_:
            return found
        query = {**query, "continue": page.metadata.continue_}
