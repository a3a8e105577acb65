"""A manifest with its state: the status that a Service or a configuration object has, the annotations that a command gave
a Node, apart from the file that a person writes.

The state wins over a status in the manifest (the output of `kubectl get -o yaml` has one), and so do the annotations
that are ours: one that is absent from the state is absent from the object.
"""

import msgspec

from orchestrator.resources import core, metallb
from orchestrator.resources.kinds import CONFIGURED_KINDS, KubeObject

OVERLAID_KINDS = frozenset({"Service", "Node", *CONFIGURED_KINDS})
"""Kinds of which the state folder holds the status or annotations only: without its manifest the object does not exist."""

OWN_ANNOTATIONS = frozenset({"metallb.io/ip-allocated-from-pool"})
"""Annotations that the controller writes (contract 2.1)."""


def overlaid(manifest: KubeObject, state: KubeObject) -> KubeObject:
    """Return the manifest's object with what the state says."""
    match manifest, state:
        case core.Service(), core.Service():
            return _service(manifest, state)
        case metallb.IPAddressPool(), metallb.IPAddressPool():
            return msgspec.structs.replace(manifest, status=state.status)
        case core.Node(), core.Node():
            annotations = {**manifest.metadata.annotations, **state.metadata.annotations}
            return msgspec.structs.replace(
                manifest, metadata=msgspec.structs.replace(manifest.metadata, annotations=annotations)
            )
        case _:
            return manifest


def _service(manifest: core.Service, state: core.Service) -> core.Service:
    kept = {key: text for key, text in manifest.metadata.annotations.items() if key not in OWN_ANNOTATIONS}
    metadata = msgspec.structs.replace(manifest.metadata, annotations={**kept, **state.metadata.annotations})
    return msgspec.structs.replace(manifest, metadata=metadata, status=state.status)
