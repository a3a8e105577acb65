"""The body of a watch: pieces as they arrive, one JSON document per line. Pure."""

from collections.abc import Iterator

from orchestrator.errors import KubeError

LINE_LIMIT = 16 * 1024 * 1024
"""Ten times what etcd takes for one object: whatever is longer is no watch event."""


class Lines:
    """Puts lines together again; what follows the last line break waits for its rest."""

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._begun: list[bytes] = []
        self._length = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield the lines that `piece` completes, without their ends; empty ones are left out.

        Raises KubeError when a line grows beyond the limit.
        """
        first, *rest = piece.split(b"\n")
        self._keep(first)
        for part in rest:
            line = b"".join(self._begun).strip()
            self._begun, self._length = [], 0
            self._keep(part)
            if line:
                yield line

    def _keep(self, part: bytes) -> None:
        self._length += len(part)
        if self._length > self._limit:
            raise KubeError(f"a watch event is longer than {self._limit} bytes; what answers is no API server")
        if part:
            self._begun.append(part)
