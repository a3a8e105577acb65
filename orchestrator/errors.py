"""The exceptions, named by who must act. Expected outcomes are values, not exceptions.

OrchestratorError
 ├── InvalidConfig   the user: an object cannot be used; the last good one stays
 ├── NotReady        nobody: something is still missing (a Secret, a Node, a daemon that starts); wait
 ├── KubeError       the API: conflict, gone, refused, not reached; back off
 ├── DaemonError     FRR, ExaBGP or the responder: stage, status, redacted output; roll back, back off
 └── StartupError    the operator: exit at once, with what to change
"""


class OrchestratorError(Exception):
    """Base of all; never raised itself."""


class InvalidConfig(OrchestratorError):
    """An object or a value in it cannot be used; the text names the value and the remedy."""


class NotReady(OrchestratorError):
    """Something that will probably come is not there yet."""


class KubeError(OrchestratorError):
    """The API server refused a request, or was not reached.

    `status` is the HTTP status, 0 if no answer came; `reason` Kubernetes' word for it (`Conflict`, `Expired`,
    `Forbidden`), empty without one; `retry_after_s` what the server asked for, 0 if it did not. `request` is what was
    tried (`list services`), empty if unknown; `cause` is the rest: the same for whatever else fails for it.
    """

    def __init__(
        self, cause: str, *, request: str = "", status: int = 0, reason: str = "", retry_after_s: float = 0.0
    ) -> None:
        super().__init__(f"{request}: {cause}" if request else cause)
        self.cause = cause
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s


class DaemonError(OrchestratorError):
    """A daemon refused or did not answer.

    `stage` is what was being done ("connect", "configure", "show"), `output` the daemon's words without passwords.
    """

    def __init__(self, daemon: str, stage: str, output: str) -> None:
        super().__init__(f"{daemon}: {stage}: {output}")
        self.daemon = daemon
        self.stage = stage
        self.output = output


class StartupError(OrchestratorError):
    """The process cannot do its work with these flags on this machine; the text says what to change."""
