import argparse
from pathlib import Path

import pytest

from orchestrator.cli import speaker, supervise
from orchestrator.settings import StaleRoutesAction


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    supervise.add_arguments(parser)
    return parser.parse_args(words)


def test_defaults_are_those_of_the_sidecar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METALLB_NODE_NAME", "n1")
    arguments = parse()
    assert (arguments.node, arguments.run, arguments.engine) == ("n1", Path("/run/ferrule"), "frr")
    assert (arguments.stale_after, arguments.stale_routes_action) == (120.0, StaleRoutesAction.DEPREFER)


def test_stale_routes_can_be_withdrawn() -> None:
    arguments = parse("frr", "--node", "n1", "--stale-after", "0.5", "--stale-routes-action", "withdraw")
    assert (arguments.stale_after, arguments.stale_routes_action) == (0.5, StaleRoutesAction.WITHDRAW)


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon", ""])
def test_time_that_is_no_time_is_refused(value: str) -> None:
    with pytest.raises(SystemExit):
        parse("--node", "n1", f"--stale-after={value}")


@pytest.mark.parametrize(
    ("bgp_type", "words", "engine"),
    [
        ("", (), "frr"),
        ("native", (), "exabgp"),
        ("frr-k8s", (), "frr"),
        ("native", ("frr",), "frr"),
        ("", ("exabgp",), "exabgp"),
    ],
)
def test_engine_is_the_one_named_else_metallbs_type(
    bgp_type: str, words: tuple[str, ...], engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METALLB_BGP_TYPE", bgp_type)
    assert parse(*words, "--node", "n1").engine == engine
    speaker_parser = argparse.ArgumentParser()
    speaker.add_arguments(speaker_parser)
    named = [f"--bgp-engine={word}" for word in words]
    assert speaker_parser.parse_args([*named, "--node", "n1"]).bgp_engine == engine
