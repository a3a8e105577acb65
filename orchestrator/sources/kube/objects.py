"""Objects that are ours: metadata and spec by server-side apply, the status replaced whole.

Apply leaves alone what others put into metadata, and takes over what MetalLB wrote. In a status it would leave behind what
another field manager wrote and we do not (an old error summary, an interface), so the status is replaced by JSON patch.
An object's metadata is applied once by each process, which makes it the owner; from then on a change costs one request.
"""

import msgspec

from orchestrator.errors import KubeError
from orchestrator.resources.core import Secret
from orchestrator.resources.encode import encode_object
from orchestrator.resources.extensions import AddressQuota, AddressReservation
from orchestrator.resources.kinds import BY_NAME, BY_STRUCT, Kind, KubeObject
from orchestrator.resources.meta import ObjectRef
from orchestrator.resources.metallb import ConfigurationState, IPAddressPool, ServiceBGPStatus, ServiceL2Status
from orchestrator.sources.kube import paths
from orchestrator.sources.kube.api import APPLY_PATCH, MERGE_PATCH, Request
from orchestrator.sources.kube.gate import Gate
from orchestrator.sources.kube.ownership import Owner, Owners
from orchestrator.sources.kube.verdicts import names_object
from orchestrator.sources.kube.work import ObjectWrite

JSON_PATCH = "application/json-patch+json"
Counted = IPAddressPool | AddressReservation | AddressQuota
"""Objects of people, whose status has our counts."""
STATUS_IS_OURS = (ServiceL2Status, ServiceBGPStatus, ConfigurationState)


class OwnObjects:
    """Writes and removes them."""

    def __init__(self, gate: Gate, owners: Owners, manager: str) -> None:
        self._gate = gate
        self._owners = owners
        self._manager = manager
        self._applied: dict[ObjectRef, str] = {}
        """The uid of the owner that an object was given, empty for none."""
        self._ownerless: dict[ObjectRef, ObjectWrite] = {}

    def forget(self) -> None:
        """Another process may have written since."""
        self._applied.clear()
        self._ownerless.clear()

    def take_ownerless(self, owner: ObjectRef) -> tuple[ObjectWrite, ...]:
        """Return what was written while its owner could not be read, to be written again."""
        found = tuple(work for ref, work in self._ownerless.items() if self._owners.owner_of(ref.kind) == owner)
        for work in found:
            del self._ownerless[work.ref]
        return found

    async def write(self, work: ObjectWrite) -> None:
        """Bring the object to what is wanted. Raises KubeError, GateClosed."""
        ref, obj = work.ref, work.obj
        if isinstance(obj, Secret):
            await self._create(ref, obj)
        elif isinstance(obj, Counted):
            await self._patch_foreign_status(ref, obj)
        elif isinstance(obj, STATUS_IS_OURS):
            await self._write_with_status(work)
        else:
            owner = await self._owners.of(ref.kind)
            await self._apply(ref, _fields(ref, obj), owner)
            self._note(work, owner)

    async def remove(self, ref: ObjectRef) -> None:
        """Delete the object; absent is fine. Raises KubeError, GateClosed."""
        self._applied.pop(ref, None)
        self._ownerless.pop(ref, None)
        kind = BY_NAME[ref.kind]
        try:
            await self._gate.send(
                Request(verb="delete", resource=kind.plural, method="DELETE", path=paths.item(kind, *ref.key))
            )
        except KubeError as error:
            if not names_object(error, ref.name):
                raise

    async def _write_with_status(self, work: ObjectWrite) -> None:
        ref = work.ref
        owner = await self._owners.of(ref.kind)
        fields = _fields(ref, work.obj)
        if self._applied.get(ref) == _uid(owner):
            try:
                await self._replace_status(ref, fields)
                return
            except KubeError as error:
                if not names_object(error, ref.name):
                    raise
        self._applied.pop(ref, None)
        answer = await self._apply(ref, {name: part for name, part in fields.items() if name != "status"}, owner)
        if _status_in(answer) != fields.get("status", {}):
            await self._replace_status(ref, fields)
        self._note(work, owner)

    def _note(self, work: ObjectWrite, owner: Owner | None) -> None:
        ref = work.ref
        self._applied[ref] = _uid(owner)
        if owner is None and self._owners.owner_of(ref.kind) is not None:
            self._ownerless[ref] = work
        else:
            self._ownerless.pop(ref, None)

    async def _apply(self, ref: ObjectRef, fields: dict[str, object], owner: Owner | None) -> bytes:
        if owner is not None:
            metadata = fields["metadata"]
            assert isinstance(metadata, dict)
            fields = {**fields, "metadata": {**metadata, "ownerReferences": [owner.reference()]}}
        kind = BY_NAME[ref.kind]
        return await self._gate.send(
            Request(
                verb="patch",
                resource=kind.plural,
                method="PATCH",
                path=paths.item(kind, *ref.key),
                query={"fieldManager": self._manager, "force": "true"},
                body=msgspec.json.encode(fields),
                content_type=APPLY_PATCH,
            )
        )

    async def _replace_status(self, ref: ObjectRef, fields: dict[str, object]) -> None:
        operation = {"op": "add", "path": "/status", "value": fields.get("status", {})}
        await self._patch_status(BY_NAME[ref.kind], ref, [operation], JSON_PATCH)

    async def _patch_foreign_status(self, ref: ObjectRef, obj: Counted) -> None:
        """A pool is the user's; one that is gone needs no status. What we do not name in it stays as it is."""
        try:
            await self._patch_status(BY_STRUCT[type(obj)], ref, {"status": obj.status}, MERGE_PATCH)
        except KubeError as error:
            if not names_object(error, ref.name):
                raise

    async def _patch_status(self, kind: Kind, ref: ObjectRef, body: object, content_type: str) -> None:
        await self._gate.send(
            Request(
                verb="patch",
                resource=f"{kind.plural}/status",
                method="PATCH",
                path=paths.status(kind, *ref.key),
                query={"fieldManager": self._manager},
                body=msgspec.json.encode(body),
                content_type=content_type,
            )
        )

    async def _create(self, ref: ObjectRef, secret: Secret) -> None:
        """A Secret that is there already is somebody's choice."""
        kind = BY_NAME[ref.kind]
        request = Request(
            verb="create",
            resource=kind.plural,
            method="POST",
            path=paths.collection(kind, ref.namespace),
            query={"fieldManager": self._manager},
            body=msgspec.json.encode(_fields(ref, secret)),
        )
        try:
            await self._gate.send(request)
        except KubeError as error:
            if error.reason != "AlreadyExists":
                raise


def _fields(ref: ObjectRef, obj: KubeObject) -> dict[str, object]:
    """The object as it is sent: of its metadata only what is ours to say."""
    fields = encode_object(obj)
    metadata: dict[str, object] = {"name": ref.name, "namespace": ref.namespace}
    for name in ("labels", "annotations"):
        texts = getattr(obj.metadata, name)
        if texts:
            metadata[name] = texts
    return {**fields, "metadata": metadata}


def _uid(owner: Owner | None) -> str:
    return owner.uid if owner is not None else ""


class _WithStatus(msgspec.Struct, frozen=True):
    """The status of an object, as it came."""

    status: dict[str, object] = {}


def _status_in(answer: bytes) -> object:
    return msgspec.json.decode(answer, type=_WithStatus).status
