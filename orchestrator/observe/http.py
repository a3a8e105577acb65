"""/metrics, /healthz and /readyz of one process, served by a thread of its own.

/healthz answers while the process can; /readyz says, line by line, what is ready and what is not and why.
"""

import json
import sys
from http.server import ThreadingHTTPServer
from threading import Lock, Thread

from prometheus_client.exposition import MetricsHandler

from orchestrator.errors import StartupError
from orchestrator.observe.metrics import Metrics


class Readiness:
    """Named conditions for being ready; each is met, or unmet with a reason for the person who asks.

    Details stand below them for the same person and cost no readiness: a speaker that has lost the API server goes on.
    """

    def __init__(self, *conditions: str) -> None:
        self._lock = Lock()
        self._unmet = dict.fromkeys(conditions, "not started yet")
        self._conditions = conditions
        self._details: dict[str, str] = {}

    def met(self, condition: str) -> None:
        with self._lock:
            self._unmet.pop(condition, None)

    def unmet(self, condition: str, reason: str) -> None:
        with self._lock:
            self._unmet[condition] = reason

    def reasons(self) -> dict[str, str]:
        """What is unmet: condition -> reason."""
        with self._lock:
            return dict(self._unmet)

    def detail(self, name: str, text: str) -> None:
        """Show `text` under `name`; an empty one shows nothing."""
        with self._lock:
            self._details.pop(name, None)
            if text:
                self._details[name] = text

    def report(self) -> dict[str, str]:
        """Every condition with "ok" or its reason, in the order of declaration, then the details by name."""
        unmet = self.reasons()
        names = [*self._conditions, *(name for name in unmet if name not in self._conditions)]
        with self._lock:
            details = dict(sorted(self._details.items()))
        return {name: unmet.get(name, "ok") for name in names} | details


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A prober that has gone away misses nothing; anything else is a bug, and is printed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # as it was handed in


def serve(address: str, port: int, metrics: Metrics, readiness: Readiness) -> ThreadingHTTPServer:
    """Serve in a daemon thread until `shutdown()`; port 0 takes a free one (`server_port` tells). Raises StartupError."""

    class Handler(MetricsHandler):
        registry = metrics.registry

        def do_GET(self) -> None:  # noqa: N802 - the standard library calls it so
            match self.path.partition("?")[0]:
                case "/metrics":
                    super().do_GET()
                case "/healthz":
                    self._reply(200, "ok\n")
                case "/readyz":
                    self._readyz()
                case _:
                    self._reply(404, "there are /metrics, /healthz and /readyz\n")

        def _readyz(self) -> None:
            status = 503 if readiness.reasons() else 200
            report = readiness.report()
            if "application/json" in self.headers.get("Accept", ""):
                self._reply(status, json.dumps(report) + "\n", "application/json")
            else:
                self._reply(status, "".join(f"{name}: {value}\n" for name, value in report.items()))

        def _reply(self, status: int, text: str, content_type: str = "text/plain; charset=utf-8") -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    try:
        server = _Server((address, port), Handler)
    except OSError as error:
        raise StartupError(f"cannot listen on {address} port {port}: {error.strerror}; choose another port") from error
    Thread(target=server.serve_forever, name=f"http-{server.server_port}", daemon=True).start()
    return server
