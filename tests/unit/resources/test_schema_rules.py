"""The tables name fields that exist; what the rules do is seen at a real API server (integration)."""

import re

import pytest

from orchestrator.resources import schema_rules as rules
from orchestrator.resources.meta import Condition, KubeStruct


@pytest.mark.parametrize(
    ("struct", "field"),
    [*rules.FIELD_RULES, *rules.FIELD_LIMITS, *rules.FIELD_MARKS],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_field_exists(struct: type[KubeStruct], field: str) -> None:
    assert field in struct.__struct_encode_fields__


def test_required_fields_exist() -> None:
    for struct, names in rules.REQUIRED.items():
        assert set(names) <= set(struct.__struct_encode_fields__)


def test_empty_parts_are_known_and_not_read() -> None:
    for struct, part in rules.EMPTY_PARTS.items():
        assert part in struct.UNUSED


def test_condition_has_limits_for_all_of_its_fields() -> None:
    assert set(rules.CONDITION_FIELDS) == set(Condition.__struct_encode_fields__)


@pytest.mark.parametrize(
    ("text", "right"),
    [("Ready", True), ("ferrule.io/Announced", True), ("metallb.io/ready-now", True), ("", False), ("a b", False)],
)
def test_condition_types_are_words_with_an_optional_domain(text: str, right: bool) -> None:
    pattern = rules.CONDITION_FIELDS["type"]["pattern"]
    assert isinstance(pattern, str)
    assert (re.match(pattern, text) is not None) is right
