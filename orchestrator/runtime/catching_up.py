"""Whether what a watch has delivered is as new as what the API server had when somebody began to lead.

A new leader adopts what statuses say. Its watch may lag behind by moments, or by an outage; the last leader's statuses
would be missing, and their addresses given away twice. So a leader asks for the versions once, and waits for its watch.
"""

from collections.abc import Container, Mapping

from orchestrator.resources.core import Service
from orchestrator.resources.meta import ObjectKey, ObjectRef


class CatchingUp:
    """What is still awaited of the versions that the API server had."""

    def __init__(self, served: Mapping[ObjectKey, str]) -> None:
        self._awaited = dict(served)

    def done(self, known: Mapping[ObjectKey, Service], unusable: Container[ObjectRef]) -> bool:
        """Return whether nothing is awaited any more; an object that cannot be read is not."""
        self._awaited = {
            key: version
            for key, version in self._awaited.items()
            if not _is_as_new(known.get(key), version) and ObjectRef("Service", *key) not in unusable
        }
        return not self._awaited


def _is_as_new(service: Service | None, version: str) -> bool:
    """Versions are numbers that grow: Kubernetes 1.35 promises it, etcd has always made them so."""
    if service is None:
        return False
    held = service.metadata.resource_version
    return held == version or (held.isdigit() and version.isdigit() and int(held) > int(version))
