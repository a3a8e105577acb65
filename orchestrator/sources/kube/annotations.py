"""Annotations of objects that people own, set on a person's behalf by a command: a merge patch, and nothing else."""

import msgspec

from orchestrator.resources.kinds import BY_NAME
from orchestrator.sources.kube import paths
from orchestrator.sources.kube.api import MERGE_PATCH, Request
from orchestrator.sources.kube.work import AnnotationWrite


def request_for(work: AnnotationWrite, manager: str) -> Request:
    """Return the request that sets them, and removes those that are None."""
    kind = BY_NAME[work.ref.kind]
    return Request(
        verb="patch",
        resource=kind.plural,
        method="PATCH",
        path=paths.item(kind, *work.ref.key),
        query={"fieldManager": manager},
        body=msgspec.json.encode({"metadata": {"annotations": work.annotations}}),
        content_type=MERGE_PATCH,
    )
