import base64
from typing import Any

import msgspec
import pytest

from orchestrator.config.claims import Remembered, Subject
from orchestrator.config.findings import Findings
from orchestrator.config.passwords import Locked, password_of
from orchestrator.resources.core import Secret
from orchestrator.resources.metallb import BGPPeerSpec, SecretReference
from orchestrator.resources.secret_text import SecretText
from tests.support.objects import metadata, ref

BASIC = "kubernetes.io/basic-auth"
NAMED = BGPPeerSpec(my_asn=1, password_secret=SecretReference(name="s"))
INLINE = BGPPeerSpec(my_asn=1, password=SecretText("inline"))


def subject(spec: BGPPeerSpec, **fields: Any) -> Subject[BGPPeerSpec]:
    return Subject(ref=ref("BGPPeer", "p"), spec=spec, labels={}, created="", **fields)


def secret(type_name: str = BASIC, **data: str) -> dict[str, Secret]:
    encoded = {key: SecretText(base64.b64encode(value.encode()).decode()) for key, value in data.items()}
    return {"s": Secret(metadata=metadata("s"), type=type_name, data=encoded)}


def test_peer_without_password_has_none() -> None:
    assert password_of(subject(BGPPeerSpec(my_asn=1)), {}, Findings(ref("BGPPeer", "p"))) is None


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (INLINE, "inline"),
        (NAMED, "hidden"),
        (BGPPeerSpec(my_asn=1, password_secret=SecretReference(name="s", key="other")), "second"),
    ],
)
def test_password_is_read_from_the_object_or_its_secret(spec: BGPPeerSpec, expected: str) -> None:
    findings = Findings(ref("BGPPeer", "p"))
    found = password_of(subject(spec), secret(password="hidden", other="second"), findings)
    assert found == SecretText(expected)
    assert findings.usable


def test_string_data_goes_before_data() -> None:
    both = Secret(
        metadata=metadata("s"),
        type=BASIC,
        data={"password": SecretText("b2xk")},
        string_data={"password": SecretText("new")},
    )
    assert password_of(subject(NAMED), {"s": both}, Findings(ref("BGPPeer", "p"))) == SecretText("new")


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        (
            {},
            'parsing peer p secret ref not found for peer config "metallb-system"/"p"\nfailed to parse peer p password s',
        ),
        (
            secret("Opaque", password="x"),
            'parsing peer p secret type mismatch on "metallb-system"/"s", type "kubernetes.io/basic-auth" is expected \n',
        ),
        (secret(username="x"), 'parsing peer p password not specified in the secret "metallb-system"/"s"\n'),
        (secret(password=""), 'parsing peer p password not specified in the secret "metallb-system"/"s"\n'),
        (secret(password="line\n"), "the password has blanks, line ends"),
        (
            {"s": Secret(metadata=metadata("s"), type=BASIC, data={"password": SecretText("?")})},
            "parsing peer p password not specified",
        ),
    ],
)
def test_unreadable_secret_locks_the_peer_and_is_never_an_empty_password(
    secrets: dict[str, Secret], message: str
) -> None:
    findings = Findings(ref("BGPPeer", "p"))
    assert password_of(subject(NAMED), secrets, findings) == Locked()
    assert findings.problems[0].message.startswith(message)
    assert findings.problems[0].transient


def test_password_and_secret_exclude_each_other() -> None:
    both = BGPPeerSpec(my_asn=1, password=SecretText("x"), password_secret=SecretReference(name="s"))
    findings = Findings(ref("BGPPeer", "p"))
    assert password_of(subject(both), secret(password="x"), findings) == Locked()
    expected = 'can not have both password and secret ref set in peer config "metallb-system"/"p"'
    assert findings.problems[0].message.startswith(expected)


@pytest.mark.parametrize(("current", "expected"), [(INLINE, SecretText("inline")), (None, Locked())])
def test_last_good_spec_takes_its_password_from_the_object(current: BGPPeerSpec | None, expected: object) -> None:
    memory = Remembered(spec=msgspec.Raw(b"{}"), inline_password=True)
    old = subject(BGPPeerSpec(my_asn=1), current=current, memory=memory)
    assert password_of(old, {}, Findings(ref("BGPPeer", "p"))) == expected
