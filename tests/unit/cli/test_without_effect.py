"""MetalLB's flags that mean nothing here: accepted, explained, and refused where MetalLB refuses."""

import argparse

import pytest

from orchestrator.cli.main import build_parser, main
from orchestrator.cli.without_effect import CONTROLLER, GROUP, SPEAKER, TABLE, given
from orchestrator.errors import StartupError
from tests.support.flags_page import PAGE, page_with_tables


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for entry in TABLE:
        monkeypatch.delenv(entry.env or "METALLB_BGP_TYPE", raising=False)


def parse(command: str, *words: str) -> argparse.Namespace:
    node = ("--node=n1",) if command == SPEAKER else ()
    return build_parser(command).parse_args([command, *node, *words])


@pytest.mark.parametrize("command", [CONTROLLER, SPEAKER])
def test_nothing_is_said_without_them(command: str) -> None:
    assert given(parse(command), command) == {}


SAMPLES = {"tls-min-version": "VersionTLS12", "tls-curve-preferences": "23,24", "webhook-mode": "disabled"}


@pytest.mark.parametrize("command", [CONTROLLER, SPEAKER])
def test_every_one_is_accepted_and_explained(command: str) -> None:
    flags = {entry.flag: entry.why for entry in TABLE if entry.flag and command in entry.of}
    words = [f"-{flag}={SAMPLES.get(flag, 'true')}" for flag in flags]
    assert given(parse(command, *words), command) == {f"--{flag}": why for flag, why in flags.items()}


def test_switch_needs_no_value() -> None:
    assert set(given(parse(SPEAKER, "-ml-wan-config"), SPEAKER)) == {"--ml-wan-config"}


@pytest.mark.parametrize("entry", [entry for entry in TABLE if entry.env], ids=lambda entry: entry.env)
def test_variable_is_named(entry: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert entry in TABLE
    found = TABLE[TABLE.index(entry)]
    monkeypatch.setenv(found.env, "x")
    assert given(parse(found.of[0]), found.of[0]) == {found.env: found.why}


@pytest.mark.parametrize("value", ["0", "65536", "x", "23,23", "23,,24", "-1"])
def test_wrong_curves_are_refused(value: str) -> None:
    with pytest.raises(SystemExit):
        parse(CONTROLLER, f"--tls-curve-preferences={value}")


@pytest.mark.parametrize("words", [(), ("--tls-min-version=",), ("--tls-min-version=VersionTLS13",)])
def test_cipher_suites_and_tls_1_3_are_refused_together(words: tuple[str, ...]) -> None:
    with pytest.raises(StartupError, match="VersionTLS12"):
        given(parse(SPEAKER, "--tls-cipher-suites=TLS_RSA_WITH_AES_128_GCM_SHA256", *words), SPEAKER)


@pytest.mark.parametrize("flag", ["--tls-min-version=VersionTLS11", "--webhook-mode=maybe", "--webhook-http2=2"])
def test_values_that_are_none_are_wrong_usage(flag: str) -> None:
    with pytest.raises(SystemExit):
        parse(CONTROLLER, flag)


def test_process_for_webhooks_alone_does_not_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["controller", "--webhook-mode=onlywebhook"]) == 4
    assert "there is no webhook" in capsys.readouterr().err


@pytest.mark.parametrize(("bgp_type", "said"), [("frr", False), ("native", False), ("frr-k8s", True)])
def test_bgp_type_is_named_if_it_is_not_what_happens(
    bgp_type: str, said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METALLB_BGP_TYPE", bgp_type)
    assert bool(given(parse(SPEAKER), SPEAKER)) is said
    assert given(parse(CONTROLLER), CONTROLLER) == {}


@pytest.mark.parametrize("command", [CONTROLLER, SPEAKER])
def test_unknown_bgp_type_is_refused(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METALLB_BGP_TYPE", "bird")
    with pytest.raises(StartupError, match="bird"):
        given(parse(command), command)


def test_help_keeps_them_apart(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["controller", "--help"])
    effective, _, rest = capsys.readouterr().out.partition("\noptions:")[2].partition(f"\n{GROUP}:")
    assert "--lb-class" in effective
    assert "--cert-dir" not in effective
    assert "--cert-dir" in rest


def test_page_of_flags_is_what_the_commands_take() -> None:
    assert PAGE.read_text() == page_with_tables(PAGE.read_text()), "run `make flags-page`"
