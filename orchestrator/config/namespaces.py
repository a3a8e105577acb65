"""Namespaces by name and by selectors on their labels: alternatives to each other."""

from collections.abc import Mapping
from typing import Protocol

from orchestrator.config.findings import Findings, check_selectors, duplicates
from orchestrator.resources.core import Namespace
from orchestrator.resources.metallb import LabelSelector
from orchestrator.resources.selectors import matches_any


class Selecting(Protocol):
    """A part of a spec with both fields."""

    @property
    def namespaces(self) -> tuple[str, ...]: ...
    @property
    def namespace_selectors(self) -> tuple[LabelSelector, ...]: ...


def check_namespaces(part: Selecting, field: str, findings: Findings) -> None:
    """Note everything that is wrong in the two fields below `field`."""
    for name in duplicates(part.namespaces):
        findings.error(
            f"{field}.namespaces", f'duplicate definition in namespaces field: "{name}" stands twice; remove one'
        )
    check_selectors(part.namespace_selectors, f"{field}.namespaceSelectors", findings)


def selected(part: Selecting, namespaces: Mapping[str, Namespace]) -> frozenset[str] | None:
    """Return the names given and those that a selector matches; None (any namespace) if neither was given."""
    if not part.namespaces and not part.namespace_selectors:
        return None
    matched = (name for name, obj in namespaces.items() if matches_any(part.namespace_selectors, obj.metadata.labels))
    return frozenset(part.namespaces) | frozenset(matched)
