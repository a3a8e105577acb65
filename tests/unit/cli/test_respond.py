"""What the responder's process goes without."""

import subprocess
import sys

CODE = """
import sys
from orchestrator.cli.respond import UNUSED, go_without
import json
go_without([*UNUSED, "json"])
import asyncio, hashlib, hmac, json, msgspec, structlog
assert hmac.digest(b"key", b"text", "sha256") == hmac.new(b"key", b"text", hashlib.sha256).digest()
print(*sorted(name for name in UNUSED if sys.modules[name] is not None))
"""


def test_libraries_do_without_what_is_left_out() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


def test_what_is_loaded_is_not_looked_through_again() -> None:
    code = (
        "import gc; from orchestrator.cli.respond import collect_rarely; collect_rarely(); print(gc.get_freeze_count())"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert int(done.stdout) > 1000
