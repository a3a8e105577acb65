"""Whom the kube source and sink tell how they fare with the API server: `runtime` makes metrics, readiness and logs of it."""

from typing import Protocol

from orchestrator.errors import KubeError
from orchestrator.resources.meta import ObjectRef


class Witness(Protocol):
    """Hears of every request and of every change for the better or the worse; no call blocks or raises."""

    def requested(self, verb: str, resource: str, code: int, seconds: float) -> None:
        """A request was answered: `verb` as RBAC names it (get, list, watch, create, patch, update, delete), `resource`
        as `services/status`, `code` the HTTP status, 0 if no answer came.
        """
        ...

    def watching(self, what: str) -> None:
        """The watch of `what` (`services`, `secrets/memberlist`) is live: what is known is up to date."""
        ...

    def failing(self, what: str, error: KubeError) -> None:
        """What is known of `what` may be old, because of `error`; told again only when that changes."""
        ...

    def refused(self, ref: ObjectRef, reason: str) -> None:
        """The API server does not take what we write to an object; it is tried again now and then."""
        ...

    def accepted(self, ref: ObjectRef) -> None:
        """What was refused has been taken, or is not wanted any more."""
        ...
