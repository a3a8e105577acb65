"""Laws of the watched folder: whatever happens to files, a consumer's picture is what the files say."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.resources.kinds import ref_of
from orchestrator.resources.meta import ObjectRef
from orchestrator.sources.interface import InputState, Removed, SourceEvent, Upserted
from orchestrator.sources.manifests.files import read_content
from orchestrator.sources.manifests.view import View

FILES = ("a", "b", "c")
NODES = ("n1", "n2", "n3")
BROKEN = None

changes = st.tuples(st.sampled_from(FILES), st.just(BROKEN) | st.lists(st.sampled_from(NODES), max_size=3))
steps = st.lists(st.lists(changes, min_size=1, max_size=3), max_size=8)


def content(nodes: list[str]) -> bytes:
    return "---\n".join(f"apiVersion: v1\nkind: Node\nmetadata: {{name: {node}}}\n" for node in nodes).encode()


def fold(known: set[ObjectRef], events: list[SourceEvent]) -> None:
    """Apply a batch as a consumer does; an object appears in a batch once."""
    seen: set[ObjectRef] = set()
    for event in events:
        if isinstance(event, InputState):
            continue
        assert isinstance(event, Upserted | Removed)
        ref = ref_of(event.obj) if isinstance(event, Upserted) else event.ref
        assert ref not in seen
        seen.add(ref)
        if isinstance(event, Upserted):
            known.add(ref)
        else:
            known.remove(ref)


@given(steps)
def test_events_add_up_to_what_the_files_say(batches: list[list[tuple[str, list[str] | None]]]) -> None:
    view, known, readable = View(), set[ObjectRef](), dict[str, list[str]]()
    for batch in batches:
        touched: set[ObjectRef] = set()
        for name, nodes in batch:
            touched |= view.manifests.update(read_content(name, b"{" if nodes is None else content(nodes), "n"))
            if nodes is not None:
                readable[name] = nodes
        fold(known, view.changes(touched, InputState()))
        assert known == {ObjectRef("Node", "", node) for nodes in readable.values() for node in nodes}
    for name in FILES:
        fold(known, view.changes(view.manifests.remove(name), InputState()))
    assert known == set()
    assert view.manifests.problems() == ()
    assert not view.manifests.incomplete
