from dataclasses import dataclass

import pytest
from jinja2 import DictLoader

from orchestrator.errors import InvalidConfig
from orchestrator.render.blocks import BlockMaker, KeyedBlock, Place, all_or_problem
from orchestrator.render.canonical import Line
from orchestrator.render.document import MAX_LINE
from orchestrator.render.environment import build_environment
from orchestrator.resources.meta import Problem
from tests.support.frr_documents import ref

PLACE = Place(context=("router bgp 1",), order=(0,))


@dataclass(frozen=True)
class Word:
    text: str


def maker() -> BlockMaker:
    return BlockMaker(build_environment(DictLoader({"frr/word.j2": "set {{ view.text }}\n"})))


def test_lines_stand_at_their_place() -> None:
    assert maker().make("word", Word("x"), PLACE).lines == (Line(("router bgp 1",), "set x"),)


def test_block_may_open_its_place() -> None:
    place = Place(context=("route-map a permit 1",), order=(0,), opens=True)
    opener, inner = maker().make("word", Word("x"), place).lines
    assert opener == Line((), "route-map a permit 1")
    assert inner == Line(("route-map a permit 1",), "set x")


def test_equal_views_share_a_block_until_it_is_not_used_any_more() -> None:
    making = maker()
    first = making.make("word", Word("x"), PLACE)
    assert making.make("word", Word("x"), PLACE) is first
    making.forget_unused()
    assert making.make("word", Word("x"), PLACE) is first
    making.forget_unused()
    making.forget_unused()
    assert making.make("word", Word("x"), PLACE) is not first


def test_line_that_frr_would_cut_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="longer than FRR reads"):
        maker().make("word", Word("x" * MAX_LINE), PLACE)


def test_object_that_cannot_be_written_leaves_no_block_and_a_problem() -> None:
    problems: list[Problem] = []
    making = maker()

    def blocks() -> list[KeyedBlock]:
        return [("good", making.make("word", Word("x"), PLACE)), ("bad", making.make("word", Word("x y"), PLACE))]

    assert list(all_or_problem(blocks, [ref("BGPPeer", "a")], problems)) == []
    assert [problem.ref.name for problem in problems] == ["a"]
