"""Every field has a text, every text a field; `ours` is marked and nothing else is."""

from collections.abc import Iterator

import pytest
from msgspec import inspect

from orchestrator.resources import metallb
from orchestrator.resources import schema_rules as rules
from orchestrator.resources.meta import KubeStruct
from orchestrator.resources.schema import DEFINED
from orchestrator.resources.schema_fields import IDENTITY
from orchestrator.resources.schema_texts import TEXTS

OURS = {"requireOnLink", "spread", "key", "draining", "conditions", "med", "asPathPrepend", "weight"}


def reached(shape: inspect.Type) -> Iterator[type[KubeStruct]]:
    """All structs in a type, except the metadata of objects."""
    match shape:
        case inspect.Metadata(type=inner) | inspect.VarTupleType(item_type=inner) | inspect.DictType(value_type=inner):
            yield from reached(inner)
        case inspect.UnionType(types=types):
            for inner in types:
                yield from reached(inner)
        case inspect.StructType(cls=cls, fields=fields):
            assert issubclass(cls, KubeStruct)
            yield cls
            for field in fields:
                if field.encode_name not in IDENTITY:
                    yield from reached(field.type)


STRUCTS: set[type[KubeStruct]] = {
    struct
    for kind in (*(kind.struct for kind in DEFINED), metallb.BGPPeerV1Beta1)
    for struct in reached(inspect.type_info(kind))
}


def test_texts_are_about_the_structs_of_the_definitions() -> None:
    assert set(TEXTS) == STRUCTS


@pytest.mark.parametrize("struct", sorted(STRUCTS, key=repr), ids=repr)
def test_every_field_has_a_text_and_every_text_a_field(struct: type[KubeStruct]) -> None:
    fields = {name for name in struct.__struct_encode_fields__ if name not in IDENTITY}
    empty = {rules.EMPTY_PARTS[struct]} if struct in rules.EMPTY_PARTS else set()
    assert set(TEXTS[struct]) - {""} == fields | empty
    assert all(text.endswith(".") and len(text) > 8 for text in TEXTS[struct].values())


def test_what_we_add_to_the_kinds_of_metallb_says_so() -> None:
    marked = {
        name
        for struct, texts in TEXTS.items()
        if struct.__module__ == metallb.__name__
        for name, text in texts.items()
        if text.startswith("Ferrule:")
    }
    assert marked == OURS
