import math

import pytest

from orchestrator.sources.manifests.documents import Document, Unreadable, read_documents, resolve_plain
from orchestrator.sources.manifests.lines import Lines


def values(text: str) -> list[object]:
    return [document.value for document in read_documents(text)]


def value(text: str) -> object:
    (found,) = values(text)
    return found


def only(text: str) -> Document:
    (found,) = read_documents(text)
    return found


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("65000:10", "65000:10"),
        ("1:30:00", "1:30:00"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ("192.0.2.1", "192.0.2.1"),
        ("::1", "::1"),
        ("90s", "90s"),
        ("", None),
        ("~", None),
        ("Null", None),
        ("nUll", "nUll"),
        ("true", True),
        ("True", True),
        ("tRue", "tRue"),
        ("yes", True),
        ("Off", False),
        ("n", False),
        ("0", 0),
        ("-7", -7),
        ("+7", 7),
        ("1_000", 1000),
        ("0755", 493),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b101", 5),
        ("089", 89.0),
        ("0b", "0b"),
        ("0x_", "0x_"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        (".", "."),
        ("-", "-"),
        ("9" * 65, "9" * 65),
        ("\u0661", "\u0661"),
    ],
)
def test_plain_scalar_means_what_kubernetes_reads(text: str, meaning: object) -> None:
    found = resolve_plain(text)
    assert (found, type(found)) == (meaning, type(meaning))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: '5'", {"a": "5"}),
        ('a: "on"', {"a": "on"}),
        ("a: |\n  5\n", {"a": "5\n"}),
        ("a: !!str 5", {"a": "5"}),
        ("a: !!int '5'", {"a": 5}),
        ("5: a\ntrue: b", {"5": "a", "true": "b"}),
        ('{"a": [1, null, "x\\u00e9"]}', {"a": [1, None, "x\u00e9"]}),
        ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}", {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}),
        ("'<<': 1", {"<<": 1}),
    ],
)
def test_document_is_read(text: str, expected: object) -> None:
    assert value(text) == expected
    assert only(text).faults == ()


def test_empty_documents_count_but_say_nothing() -> None:
    found = list(read_documents("---\n---\n# nothing\n---\na: 1\n---\nb: 2\n"))
    assert [(document.index, document.line, document.value) for document in found] == [
        (2, 5, {"a": 1}),
        (3, 7, {"b": 2}),
    ]
    assert values("") == []


def test_items_of_a_list_know_their_lines() -> None:
    document = only("kind: List\nitems:\n- a: [1, 2]\n  items: [1]\n\n- b: 1\nother: [1]\n")
    assert document.item_lines == (3, 6)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 'the key "a" twice'),
        ("a:\n  b: 1\n  'b': 2\n", 3, 'the key "b" twice'),
        ("a: !mine 1", 1, "the tag !mine"),
    ],
)
def test_fault_of_a_document_is_named_with_its_line(text: str, line: int, message: str) -> None:
    (fault,) = only(text).faults
    assert fault.line == line
    assert message in fault.message


def test_faults_stay_with_their_document() -> None:
    assert [len(document.faults) for document in read_documents("a: 1\na: 1\n---\na: 1\n")] == [1, 0]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: [", 2, "is not YAML"),
        ("a: 1\n b: 2", 2, "is not YAML"),
        ("a:\n\t- b", 2, "is not YAML"),
        ("a: 1\nb: *x", 2, "alias *x"),
        ("{a: 1}: 2", 1, "a key that is not a word"),
        ("a: \x00", 1, "is not YAML"),
        ("[" * 101 + "]" * 101, 1, "nests more than 100 levels"),
    ],
)
def test_text_that_is_no_yaml_is_unreadable_at_a_line(text: str, line: int, message: str) -> None:
    with pytest.raises(Unreadable) as caught:
        list(read_documents(text))
    assert caught.value.line == line
    assert message in str(caught.value)


def test_aliases_cannot_ask_for_any_amount_of_memory() -> None:
    bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    with pytest.raises(Unreadable, match="once aliases are expanded"):
        list(read_documents(bomb))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("", 1),
        ("kind", 1),
        ("spec", 2),
        ("spec.ports", 3),
        ("spec.ports[1]", 5),
        ("spec.ports[1].name", 6),
        ("spec.ports[1].absent", 5),
        ("spec.ports[7].name", 3),
        ("metadata", 1),
        ("labels[example.com/role]", 8),
        ("kind.below", 1),
    ],
)
def test_line_of_a_field_or_of_what_is_above_it(path: str, line: int) -> None:
    text = "kind: X\nspec:\n  ports:\n  - name: a\n  - port: 1\n    name: b\nlabels:\n  example.com/role: x\n"
    assert Lines(text).line(0, path) == line


def test_lines_are_those_of_the_right_document() -> None:
    lines = Lines("---\n---\na: 1\n---\nb:\n  c: 1\n")
    assert lines.line(1, "a") == 3
    assert lines.line(2, "b.c") == 6
