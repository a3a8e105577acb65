from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import KubeError
from orchestrator.sources.kube.lines import Lines


def fed(pieces: Iterable[bytes], limit: int = 100) -> list[bytes]:
    lines = Lines(limit)
    return [line for piece in pieces for line in lines.feed(piece)]


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([b"one\ntwo\n"], [b"one", b"two"]),
        ([b"on", b"e", b"\n"], [b"one"]),
        ([b"one\ntw", b"o\nthree"], [b"one", b"two"]),
        ([b"\n\r\n one\r\n\n"], [b"one"]),
        ([b"", b"cut off"], []),
    ],
)
def test_lines_are_complete(pieces: list[bytes], lines: list[bytes]) -> None:
    assert fed(pieces) == lines


@given(st.lists(st.binary(min_size=1, max_size=9).map(lambda line: line.hex().encode())), st.data())
def test_pieces_do_not_matter(lines: list[bytes], data: st.DataObject) -> None:
    body = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert fed(pieces) == lines


def test_endless_line_is_refused() -> None:
    assert fed([b"x" * 99 + b"\n", b"y" * 99 + b"\n"]) == [b"x" * 99, b"y" * 99]
    with pytest.raises(KubeError, match="longer than 100 bytes"):
        fed([b"x" * 60, b"y" * 60])
