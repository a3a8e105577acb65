"""Images: names of which a Pod's containers are made, each a way to start a program that this machine has.

Our own code is in an image as it was when the image was built, compiled: what is edited meanwhile changes nothing, and
a container does not start more slowly than in a real cluster.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support import loss

CHECKOUT = Path(__file__).parents[4]
VENV = Path(sys.prefix)
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

WEB = "example.com/web:1"
ECHO = "example.com/echo:1"
PAUSE = "example.com/pause:1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What an image sets where a container says nothing. Every image's files are those of `rootfs`."""

    entrypoint: tuple[str, ...]
    path: str = SYSTEM_PATH


ENDPOINT = (sys.executable, "-m", "orchestrator.lab.endpoint")
ECHO_PROGRAM = (sys.executable, "-c", loss.ECHO, "::", "7")
FIXED = {
    WEB: Image(entrypoint=ENDPOINT),
    ECHO: Image(entrypoint=ECHO_PROGRAM),
    PAUSE: Image(entrypoint=("sleep", "infinity")),
}


CODE = ("orchestrator", "templates")


def build(folder: Path) -> "subprocess.Popen[bytes]":
    """Begin to fill a folder with our code; complete when the process that is returned has ended with 0."""
    for part in CODE:
        shutil.copytree(CHECKOUT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    compiling = [sys.executable, "-m", "compileall", "-q", "-j", "0", "-s", str(folder), "-p", str(CHECKOUT)]
    return subprocess.Popen([*compiling, str(folder / "orchestrator")])


def find(name: str) -> Image | None:
    """Return the image; our own has any registry and tag. None means that it cannot be pulled."""
    repository = name.rpartition("/")[2].partition(":")[0].partition("@")[0]
    if repository == "ferrule":
        return Image(entrypoint=("ferrule",), path=f"{VENV / 'bin'}:{SYSTEM_PATH}")
    return FIXED.get(name)
