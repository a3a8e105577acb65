import os
from pathlib import Path

import pytest

from orchestrator.apply.files import group_id, read_file, write_file
from orchestrator.errors import StartupError


def test_file_is_for_owner_and_group_only(tmp_path: Path) -> None:
    path = tmp_path / "frr.conf"
    write_file(path, "one", os.getgid())
    write_file(path, "two", os.getgid())
    assert path.read_text() == read_file(path) == "two"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "frr.conf"
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_file(path, "one", os.getgid())
    assert list(tmp_path.iterdir()) == [path]


def test_absent_file_is_empty(tmp_path: Path) -> None:
    assert read_file(tmp_path / "nothing") == ""


def test_unknown_group_stops_the_process() -> None:
    with pytest.raises(StartupError, match="no group"):
        group_id("no-such-group")
