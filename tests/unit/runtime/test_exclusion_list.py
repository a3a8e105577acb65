"""The exclusion list is read at the start and at each change, also when kubelet swaps the link of a ConfigMap."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from orchestrator.errors import InvalidConfig
from orchestrator.runtime.exclusion_list import ExclusionList, Exclusions, parse_exclusions

DEADLINE_S = 10.0
LIST = 'announcedInterfacesToExclude: ["^wg.*", "^tap"]\n'
OTHER = "announcedInterfacesToExclude: []\n"


@asynccontextmanager
async def followed(path: Path) -> "AsyncIterator[asyncio.Queue[Exclusions]]":
    """The lists that are posted about a file."""
    posted: asyncio.Queue[Exclusions] = asyncio.Queue()
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(ExclusionList(path, posted.put_nowait).run())
        yield posted
        running.cancel()


def write(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.new")
    partial.write_text(text)
    partial.replace(path)


def test_list_is_parsed() -> None:
    assert parse_exclusions(LIST) == ("^wg.*", "^tap")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("announcedInterfacesToExclude: [a, '(']", r'\[1\] "\("'),
        ("announcedInterfacesToExclude: [7]", r'\[0\] "7"'),
        ("announcedInterfacesToExclude: eth0", "no list"),
        ("other: []", "no list"),
        ("", "no list"),
        ("[", "no YAML"),
    ],
)
def test_what_is_no_list_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(InvalidConfig, match=named):
        parse_exclusions(text)


async def test_missing_file_means_the_default_list(tmp_path: Path) -> None:
    async with followed(tmp_path / "none" / "excludel2.yaml") as posted:
        assert await posted.get() == Exclusions()


async def test_file_is_read_again_when_it_changes_comes_or_goes(tmp_path: Path) -> None:
    path = tmp_path / "metallb" / "excludel2.yaml"
    async with followed(path) as posted:
        assert await posted.get() == Exclusions()
        path.parent.mkdir()
        write(path, LIST)
        assert await posted.get() == Exclusions(patterns=("^wg.*", "^tap"))
        write(path, OTHER)
        assert await posted.get() == Exclusions(patterns=())
        path.unlink()
        assert await posted.get() == Exclusions()


async def test_swapped_config_map_is_read_again(tmp_path: Path) -> None:
    for name, text in (("..1", LIST), ("..2", OTHER)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "excludel2.yaml").write_text(text)
    (tmp_path / "..data").symlink_to("..1")
    path = tmp_path / "excludel2.yaml"
    path.symlink_to("..data/excludel2.yaml")
    async with followed(path) as posted:
        assert await posted.get() == Exclusions(patterns=("^wg.*", "^tap"))
        (tmp_path / "..data_tmp").symlink_to("..2")
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")
        assert await posted.get() == Exclusions(patterns=())


async def test_invalid_file_leaves_the_last_good_list_in_force(tmp_path: Path) -> None:
    path = tmp_path / "excludel2.yaml"
    path.write_text(LIST)
    async with followed(path) as posted:
        await posted.get()
        write(path, "announcedInterfacesToExclude: ['(']")
        broken = await posted.get()
        assert broken.patterns == ("^wg.*", "^tap")
        (problem,) = broken.problems
        assert str(path) in str(problem.ref)
        assert 'announcedInterfacesToExclude[0] "("' in problem.message
        assert "mend the file" in problem.message
        write(path, LIST)
        assert await posted.get() == Exclusions(patterns=("^wg.*", "^tap"))
