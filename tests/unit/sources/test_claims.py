from orchestrator.resources.meta import ObjectRef
from orchestrator.sources.manifests.claims import Claims
from orchestrator.sources.manifests.files import FileContents, read_content

A, B = ObjectRef("Node", "", "a"), ObjectRef("Node", "", "b")


def contents(name: str, *objects: str) -> FileContents:
    text = "---\n".join(f"apiVersion: v1\nkind: Node\nmetadata: {{name: {each}}}\n" for each in objects)
    return read_content(name, text.encode(), "n")


def place(claims: Claims, ref: ObjectRef) -> str | None:
    part = claims.owner(ref)
    return part.place if part is not None else None


def test_the_file_known_first_keeps_an_object_until_it_lets_go() -> None:
    claims = Claims()
    assert claims.update(contents("z", "a")) == {A}
    assert claims.update(contents("y", "a", "b")) == {A, B}
    assert place(claims, A) == "z:1"
    assert claims.update(contents("z", "a")) == {A}
    assert place(claims, A) == "z:1"
    assert claims.update(contents("z")) == {A}
    assert place(claims, A) == "y:1"
    assert claims.remove("y") == {A, B}
    assert claims.owner(A) is None
    assert claims.refs == frozenset()


def test_every_later_place_of_an_object_is_a_problem_that_names_both() -> None:
    claims = Claims()
    claims.update(contents("one", "a", "b", "a"))
    claims.update(contents("two", "a"))
    assert [(problem.ref, problem.source) for problem in claims.problems()] == [(A, "one:9"), (A, "two:1")]
    assert all("stands at one:1 too" in problem.message for problem in claims.problems())
    claims.update(contents("one", "b"))
    assert claims.problems() == ()


def test_file_that_becomes_unreadable_keeps_its_objects() -> None:
    claims = Claims()
    claims.update(contents("one", "a"))
    assert claims.update(read_content("one", b"{", "n")) == set()
    assert place(claims, A) == "one:1"
    assert not claims.incomplete
    (problem,) = claims.problems()
    assert problem.ref == ObjectRef("File", "", "one")
    claims.update(contents("one", "b"))
    assert (place(claims, A), place(claims, B)) == (None, "one:1")
    assert claims.problems() == ()


def test_file_that_was_never_readable_makes_the_set_incomplete() -> None:
    claims = Claims()
    claims.update(read_content("one", b"{", "n"))
    assert claims.incomplete
    assert claims.names == {"one"}
    assert claims.remove("one") == set()
    assert not claims.incomplete


def test_parts_without_a_name_are_problems_of_their_file() -> None:
    claims = Claims()
    claims.update(read_content("one", b"kind: Node\napiVersion: v1\nmetadata: {}\n", "n"))
    assert [problem.source for problem in claims.problems()] == ["one:3"]
    assert claims.refs == frozenset()
