"""The exceptions, named by who must act. Expected outcomes are values, not exceptions.

OrchestratorError
 ├── InvalidConfig   the user: an object cannot be used; the last good one stays
 ├── NotReady        nobody: something is still missing (a Secret, a Node, a daemon that starts); wait
 ├── DaemonError     FRR, ExaBGP or the responder: stage, status, redacted output; roll back, back off
 └── StartupError    the operator: exit at once, with what to change
"""


class OrchestratorError(Exception):
    """Base of all; never raised itself."""


class InvalidConfig(OrchestratorError):
    """An object or a value in it cannot be used; the text names the value and the remedy."""


class NotReady(OrchestratorError):
    """Something that will probably come is not there yet."""


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
