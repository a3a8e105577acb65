import pytest

from orchestrator.config.findings import Findings
from orchestrator.config.tokens import check_interface, check_object_name, password_fault
from tests.support.objects import ref


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("eth0", True),
        ("bond0.100", True),
        ("eth0 up", False),
        ("a/b", False),
        ("..", False),
        ("x" * 16, False),
        ("eth0\nneighbor", False),
        ("", False),
    ],
)
def test_interface_is_a_name_that_linux_takes(name: str, good: bool) -> None:
    findings = Findings(ref("BGPPeer", "p"))
    check_interface(name, "spec.interface", findings)
    assert findings.usable is good


@pytest.mark.parametrize(("name", "good"), [("peer-1.a", True), ("Peer", False), ("a\nb", False), ("", False)])
def test_newline_in_an_object_name_is_refused(name: str, good: bool) -> None:
    findings = Findings(ref("BGPPeer", name))
    check_object_name(name, findings)
    assert findings.usable is good


@pytest.mark.parametrize(
    ("password", "good"),
    [("s3cret!", True), ("x" * 80, True), ("x" * 81, False), ("two words", False), ("line\n", False), ("ü", False)],
)
def test_password_is_one_word_of_at_most_80_characters(password: str, good: bool) -> None:
    fault = password_fault(password)
    assert (fault is None) is good
    assert password not in (fault or "")
