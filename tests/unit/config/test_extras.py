from orchestrator.config.extras import LONGEST, extras_of, numbered
from orchestrator.config.model import Extras
from orchestrator.resources.meta import ObjectRef, Problem, Severity
from orchestrator.resources.secret_text import SecretText
from orchestrator.resources.snapshot import ClusterSnapshot
from tests.support.objects import NAMESPACE, config_map_object

REF = ObjectRef("ConfigMap", NAMESPACE, "bgpextras")


def read(**data: str) -> tuple[Extras | None, tuple[Problem, ...]]:
    return extras_of(ClusterSnapshot(config_maps={"bgpextras": config_map_object("bgpextras", **data)}))


def test_text_is_kept_as_written_and_does_not_print() -> None:
    text = "router bgp 64512\n neighbor 192.0.2.1 password geheim\n"
    extras, problems = read(extras=text)
    assert extras == Extras(origin=REF, text=SecretText(text))
    assert problems == ()
    assert "geheim" not in repr(extras)


def test_no_config_map_and_no_command_are_no_text() -> None:
    assert extras_of(ClusterSnapshot()) == (None, ())
    assert read(extras="! only a comment\n\n") == (None, ())


def test_what_cannot_be_read_is_not_the_same_as_none() -> None:
    odd = Problem(ref=REF, field="data", message="odd")
    assert extras_of(ClusterSnapshot(unusable={REF: (odd,)})) == (Extras(origin=REF, text=None), ())
    extras, _ = extras_of(ClusterSnapshot(incomplete=True))
    assert extras is not None
    assert extras.text is None


def test_form_is_checked_with_the_number_of_the_line() -> None:
    extras, problems = read(extras=f"router bgp 1\n\n do clear bgp *\n a\x07b\n {'x' * (LONGEST + 1)}\n")
    assert extras == Extras(origin=REF, text=None)
    assert [(problem.field, problem.message.split(";")[0]) for problem in problems] == [
        ("data.extras", 'line 3 begins with "do", which is no configuration'),
        ("data.extras", "line 4 has a character that cannot be printed"),
        ("data.extras", f"line 5 has more than {LONGEST} octets"),
    ]


def test_another_key_is_named_and_not_read() -> None:
    extras, problems = read(extra="router bgp 1")
    assert extras is None
    assert [(problem.field, problem.severity) for problem in problems] == [("data.extra", Severity.WARNING)]


def test_comments_and_indentation_are_not_sent() -> None:
    assert tuple(numbered("! a\n#b\n\n  router bgp 1\r\n\tneighbor\tx y\n")) == (
        (4, "router bgp 1"),
        (5, "neighbor x y"),
    )
