"""One condition in the status of objects that people write, and nothing else of them.

Server-side apply with a field manager for each type merges the list of conditions by type. So all others stay (a manager
that leaves out what it wrote before removes it), and so does what `objects` writes into the same status. A CRD that knows
no conditions (MetalLB's own) takes the request and drops the field: who asked finds nothing, and does not ask again.
"""

import msgspec

from orchestrator.errors import KubeError
from orchestrator.resources.kinds import BY_NAME
from orchestrator.resources.meta import ObjectRef
from orchestrator.sources.kube import paths
from orchestrator.sources.kube.api import APPLY_PATCH, Request
from orchestrator.sources.kube.gate import Gate
from orchestrator.sources.kube.verdicts import names_object
from orchestrator.sources.kube.work import ConditionWrite

COUNTS = {
    "IPAddressPool": {"assignedIPv4": 0, "assignedIPv6": 0, "availableIPv4": 0, "availableIPv6": 0},
}
"""What the schema of a status wants, of an object that nothing has been counted of yet: a pool that is not in use."""
INVALID = 422


class VerdictWrites:
    """Writes them; `manager` is the field manager of all else, and the start of the name of each type's."""

    def __init__(self, gate: Gate, manager: str) -> None:
        self._gate = gate
        self._manager = manager

    async def write(self, work: ConditionWrite) -> None:
        """Set the condition; an object that is gone needs none. Raises KubeError, GateClosed."""
        status: dict[str, object] = {"conditions": [work.condition]}
        try:
            await self._apply(work.ref, work.condition.type, status)
        except KubeError as error:
            if names_object(error, work.ref.name):
                return
            if error.status != INVALID or work.ref.kind not in COUNTS:
                raise
            await self._apply(work.ref, work.condition.type, {**COUNTS[work.ref.kind], **status})

    async def _apply(self, ref: ObjectRef, type_: str, status: dict[str, object]) -> None:
        kind = BY_NAME[ref.kind]
        body = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"name": ref.name, "namespace": ref.namespace},
            "status": status,
        }
        await self._gate.send(
            Request(
                verb="patch",
                resource=f"{kind.plural}/status",
                method="PATCH",
                path=paths.status(kind, *ref.key),
                query={"fieldManager": f"{self._manager}-{type_.lower()}", "force": "true"},
                body=msgspec.json.encode(body),
                content_type=APPLY_PATCH,
            )
        )
