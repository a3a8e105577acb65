"""What an engineer does to etcd behind the API server's back: delete a key, forget the history."""

import base64
import http.client
import json
from typing import Any

from tests.support.plane import ETCD_PORT, Plane

REGISTRY = "/registry"


def delete(plane: Plane, key: str) -> None:
    """Delete an object by its path below the registry. Raises AssertionError if it is not there."""
    answer = _ask(plane, "deleterange", {"key": base64.b64encode(f"{REGISTRY}/{key}".encode()).decode()})
    assert answer.get("deleted") == "1", answer


def compact(plane: Plane) -> None:
    """Forget everything but the present: whoever wants to go on from before must list again."""
    revision = _ask(plane, "range", {"key": base64.b64encode(b"/").decode()})["header"]["revision"]
    _ask(plane, "compaction", {"revision": revision, "physical": True})


def _ask(plane: Plane, what: str, body: dict[str, object]) -> Any:
    """By its JSON gateway."""

    def ask() -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", ETCD_PORT, timeout=30)
        connection.request("POST", f"/v3/kv/{what}", json.dumps(body))
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status == 200, text
        return json.loads(text)

    return plane.namespace.inside(ask)
