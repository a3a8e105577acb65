"""No text makes the reading of a file fail in another way than by saying so."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sources.manifests.documents import Unreadable, read_documents
from orchestrator.sources.manifests.files import read_content
from orchestrator.sources.manifests.lines import Lines

TOKENS = ("a", "kind", "items", "metadata", "name", ": ", "\n", "  ", "- ", "---\n", "[", "]", "{", "}", ", ", "'", '"')
MARKS = ("&x ", "*x", "<<", "!!str ", "!t ", "|", ">", "? ", "#", "%", "\t", "\0", "5", "on", "~", "List", "Node", "v1")
fragments = st.lists(st.sampled_from((*TOKENS, *MARKS)) | st.text(max_size=2), max_size=40).map("".join)


@given(fragments)
def test_any_text_is_read_or_unreadable(text: str) -> None:
    try:
        documents = list(read_documents(text))
    except Unreadable as error:
        line = error.line
    else:
        line = max((Lines(text).line(document.index, "metadata.name") for document in documents), default=1)
    assert 1 <= line <= len(text.splitlines() or [""])


@given(st.binary(max_size=60) | fragments.map(lambda text: text.encode(errors="surrogatepass")))
def test_any_bytes_are_contents_or_a_problem(content: bytes) -> None:
    contents = read_content("file", content, "n")
    assert contents.readable or contents.problems
    assert all(part.ref.kind and part.ref.name for part in contents.objects)
    assert all(problem.source.startswith("file:") for problem in contents.problems)
