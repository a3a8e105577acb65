"""Rendering is deterministic, and the text is the document."""

from hypothesis import given, settings

from orchestrator.render.canonical import parse
from orchestrator.render.document import FrrDocument
from tests.support.frr_strategies import documents, route_changes


@settings(max_examples=60, deadline=None)
@given(documents())
def test_text_parses_to_the_lines_of_the_document(document: FrrDocument) -> None:
    for daemon in ("bgpd", "bfdd"):
        assert parse(document.daemon_text(daemon)) == document.lines(daemon)


@settings(max_examples=60, deadline=None)
@given(documents())
def test_blocks_have_disjoint_lines(document: FrrDocument) -> None:
    count = sum(len(block.lines) for block in document.blocks.values())
    assert count == sum(len(document.lines(daemon)) for daemon in ("bgpd", "bfdd", "zebra"))


@settings(max_examples=60, deadline=None)
@given(route_changes())
def test_step_names_every_changed_block(change: tuple[FrrDocument, FrrDocument]) -> None:
    before, after = change
    differing = {
        key for key in before.blocks.keys() | after.blocks.keys() if before.blocks.get(key) != after.blocks.get(key)
    }
    assert differing <= set(after.changed_since(before))
