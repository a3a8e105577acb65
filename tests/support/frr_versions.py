"""The versions of FRR that tests run against: this machine's, and Debian 13's, which `make debian-13` puts into a folder."""

import os
from enum import Enum
from functools import cache
from pathlib import Path

import pytest

from orchestrator.settings import FRR_DAEMON_FOLDER

FOLDER_VARIABLE = "FERRULE_DEBIAN_13"


class FrrVersion(Enum):
    """The value is what `bgpd --version` begins with, for the names of tests."""

    MACHINE = "machine"
    DEBIAN_13 = "10.3"


on_both_versions = pytest.mark.parametrize("version", FrrVersion, ids=lambda version: version.value)


def debian_13() -> Path:
    """Where `.ci/debian-13` puts it."""
    return Path(os.environ.get(FOLDER_VARIABLE) or Path.home() / ".cache" / "ferrule-debian-13")


@cache
def binaries(version: FrrVersion) -> Path:
    """The folder of this version's daemons. They are started like the machine's own: the same users, paths and flags.

    Debian 13's become the daemon (same pid) in a mount namespace of their own, where /usr is Debian 13's.
    """
    if version is FrrVersion.MACHINE:
        return FRR_DAEMON_FOLDER
    folder = debian_13() / "programs"
    if not (folder / "bgpd").exists():
        pytest.fail(f"no FRR of Debian 13 in {folder}: run `make debian-13`, which makes it (half a minute, once)")
    return folder


def vtysh(version: FrrVersion) -> Path:
    """The shell that belongs to this version's daemons."""
    return Path("/usr/bin/vtysh") if version is FrrVersion.MACHINE else binaries(version) / "vtysh"
