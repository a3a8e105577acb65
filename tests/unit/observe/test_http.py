"""/healthz, /readyz and /metrics over a real socket on loopback."""

import json
import socket
import struct
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import ThreadingHTTPServer

import pytest

from orchestrator.errors import StartupError
from orchestrator.observe.http import Readiness, serve
from orchestrator.observe.metrics import CONTROLLER_METRICS, Metrics


@pytest.fixture
def readiness() -> Readiness:
    return Readiness("synced", "configuration")


@pytest.fixture
def server(readiness: Readiness) -> Iterator[ThreadingHTTPServer]:
    server = serve("127.0.0.1", 0, Metrics(CONTROLLER_METRICS), readiness)
    yield server
    server.shutdown()
    server.server_close()


def get(server: ThreadingHTTPServer, path: str, accept: str = "*/*") -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    try:
        connection.request("GET", path, headers={"Accept": accept})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_readyz_gives_the_reason_until_met(server: ThreadingHTTPServer, readiness: Readiness) -> None:
    readiness.met("configuration")
    readiness.unmet("synced", "no list of Services yet")
    assert get(server, "/readyz") == (503, "synced: no list of Services yet\nconfiguration: ok\n")
    readiness.met("synced")
    assert get(server, "/readyz") == (200, "synced: ok\nconfiguration: ok\n")


def test_readyz_answers_json_on_request(server: ThreadingHTTPServer) -> None:
    status, body = get(server, "/readyz", accept="application/json")
    assert status == 503
    assert json.loads(body) == {"synced": "not started yet", "configuration": "not started yet"}


def test_healthz_metrics_and_unknown_paths(server: ThreadingHTTPServer) -> None:
    assert get(server, "/healthz") == (200, "ok\n")
    assert "process_resident_memory_bytes" in get(server, "/metrics")[1]
    assert get(server, "/nothing")[0] == 404


def test_taken_port_is_a_startup_error(server: ThreadingHTTPServer) -> None:
    with pytest.raises(StartupError, match="choose another port"):
        serve("127.0.0.1", server.server_port, Metrics(CONTROLLER_METRICS), Readiness())


def test_a_detail_is_shown_and_costs_no_readiness(server: ThreadingHTTPServer, readiness: Readiness) -> None:
    readiness.met("configuration")
    readiness.met("synced")
    readiness.detail("API server", "services: connection refused")
    assert get(server, "/readyz") == (200, "synced: ok\nconfiguration: ok\nAPI server: services: connection refused\n")
    readiness.detail("API server", "")
    assert get(server, "/readyz") == (200, "synced: ok\nconfiguration: ok\n")


def test_prober_that_goes_away_leaves_no_traceback(
    server: ThreadingHTTPServer, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.server_port)) as prober:
            prober.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            prober.sendall(b"GET /readyz HTTP/1.0\r\n")
    assert get(server, "/healthz") == (200, "ok\n")
    assert capfd.readouterr().err == ""
