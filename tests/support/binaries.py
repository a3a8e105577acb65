"""Where the programs of the real cluster are; `make cluster` builds them."""

import hashlib
import os
import shutil
from pathlib import Path

MODULE = Path(__file__).parents[1] / "e2e" / "cluster" / "go.mod"
FOLDER_VARIABLE = "FERRULE_CLUSTER_BIN"


class NotBuilt(Exception):
    """Programs of the cluster are missing."""


def folder() -> Path:
    """Where `.ci/cluster` puts them: named by what they are built from."""
    if chosen := os.environ.get(FOLDER_VARIABLE):
        return Path(chosen)
    return Path.home() / ".cache" / "ferrule-cluster" / hashlib.sha256(MODULE.read_bytes()).hexdigest()[:12]


def path(name: str) -> Path:
    """Of one program; kubectl is the machine's own unless it was built."""
    built = folder() / name
    if name == "kubectl" and not built.exists() and (found := shutil.which(name)):
        return Path(found)
    return built


def require(*names: str) -> None:
    """Raises NotBuilt, which names the command to run."""
    missing = sorted(name for name in names if not path(name).exists())
    if missing:
        raise NotBuilt(
            f"{', '.join(missing)}: not in {folder()}; run `make cluster`, which builds them (minutes, once)"
        )
