"""The flags of controller and speaker, as one writes them and as their environment gives them."""

import argparse
from pathlib import Path

import pytest

from orchestrator.cli.arguments import process_fields
from orchestrator.cli.main import build_parser, main
from orchestrator.errors import StartupError
from orchestrator.settings import Cluster, Folders, default_namespace


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*(f"METALLB_{each}" for each in ("NAMESPACE", "NODE_NAME", "POD_NAME", "BGP_TYPE")), "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)


def parse(*words: str) -> argparse.Namespace:
    return build_parser(words[0]).parse_args(words)


def origin(*words: str) -> Cluster | Folders:
    return process_fields(parse("controller", *words))["origin"]


def test_cluster_is_the_default() -> None:
    assert origin() == Cluster()
    assert origin("--source", "kube", "--pod-name", "p") == Cluster(pod_name="p")


def test_kubeconfig_comes_from_the_flag_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/env")
    assert origin("-context=c") == Cluster(kubeconfig=Path("/env"), context="c")
    assert origin("--kubeconfig", "/flag") == Cluster(kubeconfig=Path("/flag"))


def test_manifests_are_two_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/env")
    found = origin("--source", f"manifests:{tmp_path}", "--state", "/state")
    assert found == Folders(source=tmp_path, state=Path("/state"))


@pytest.mark.parametrize(
    "words",
    [
        ("--state", "/state"),
        ("--context", "c"),
        ("--source", "manifests:{}"),
        ("--source", "manifests:{}", "--state", "/s", "--kubeconfig", "k"),
        ("--source", "manifests:{}", "--state", "/s", "--context", "c"),
    ],
)
def test_contradicting_places_are_refused(words: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="--"):
        origin(*(word.format(tmp_path) for word in words))


def namespace(*words: str) -> str:
    return process_fields(parse("controller", *words))["namespace"]


def test_namespace_is_the_flag_then_the_variable_then_the_pods_then_the_usual(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert namespace("--namespace=") == default_namespace(tmp_path / "absent") == "metallb-system"
    pods = tmp_path / "namespace"
    pods.write_text("lb\n")
    assert default_namespace(pods) == "lb"
    monkeypatch.setenv("METALLB_NAMESPACE", "other")
    assert namespace() == default_namespace(pods) == "other"
    assert namespace("-namespace", "mine") == "mine"


def test_metallbs_own_arguments_are_understood() -> None:
    found = parse("speaker", "-port=9", "-log-level=debug", "-node-name", "n1", "-lb-class=x", "-ml-bindport=7")
    assert (found.port, found.log_level, found.node, found.lb_class, found.ml_bindport) == (9, "debug", "n1", "x", 7)


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ((), False),
        (("-ignore-exclude-lb",), True),
        (("--ignore-exclude-lb=true",), True),
        (("--ignore-exclude-lb=F",), False),
        (("-ignore-exclude-lb", "-port=1"), True),
    ],
)
def test_switch_may_be_given_its_value(words: tuple[str, ...], value: bool) -> None:
    assert parse("speaker", "--node=n1", *words).ignore_exclude_lb is value


def test_withdrawal_is_settable() -> None:
    found = parse("speaker", "--node=n1", "--withdraw-not-ready", "--damping-limit=0", "--withdrawal-hold=2.5")
    assert (found.withdraw_not_ready, found.damping_limit, found.withdrawal_hold) == (True, 0.0, 2.5)
    plain = parse("speaker", "--node=n1")
    assert (plain.withdraw_not_ready, plain.damping_limit, plain.withdrawal_hold) == (False, 60.0, 5.0)


@pytest.mark.parametrize(
    "words", [("--ignore-exclude-lb=maybe", "--node=n1"), (), ("--node=",), ("--node=n1", "--ml-bindport=70000")]
)
def test_wrong_speaker_flags_are_wrong_usage(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit):
        parse("speaker", *words)


def test_variables_are_defaults_of_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METALLB_ML_BIND_PORT", "17946")
    monkeypatch.setenv("METALLB_NODE_NAME", "n1")
    monkeypatch.setenv("METALLB_POD_NAME", "p1")
    found = parse("speaker")
    assert (found.ml_bindport, found.node, found.pod_name) == (17946, "n1", "p1")
    assert parse("speaker", "--ml-bindport", "1").ml_bindport == 1


def test_variable_that_is_no_port_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METALLB_ML_BIND_PORT", "many")
    with pytest.raises(SystemExit):
        parse("speaker", "--node=n1")


def test_election_takes_durations() -> None:
    found = parse("controller", "--leader-elect-lease-duration=1m30s", "--leader-elect-retry-period", "0.5")
    assert (found.leader_elect_lease_duration, found.leader_elect_retry_period) == (90.0, 0.5)


@pytest.mark.parametrize(
    "words",
    [
        ("--leader-elect-lease-duration=10s",),
        ("--leader-elect-retry-period=10",),
        ("--leader-elect-renew-deadline=16",),
    ],
)
def test_lease_that_cannot_be_kept_is_refused(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["controller", *words]) == 4
    assert "must be longer than" in capsys.readouterr().err


def test_durations_of_our_own_flags_are_gos_too() -> None:
    assert parse("controller", "-removed-pool-hold=5s").removed_pool_hold == 5.0


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ((), (60.0, 0.0)),
        (("--cool-down=0s", "--sticky-addresses=10m"), (0.0, 600.0)),
        (("-cool-down=1.5",), (1.5, 0.0)),
    ],
)
def test_released_addresses_rest_and_are_kept_for_a_while_that_may_be_none(
    words: tuple[str, ...], wanted: tuple[float, float]
) -> None:
    found = parse("controller", *words)
    assert (found.cool_down, found.sticky_addresses) == wanted


@pytest.mark.parametrize("text", ["-1", "soon", "inf", "nan", ""])
def test_what_is_no_while_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("controller", f"--cool-down={text}")
    assert "is no number of seconds" in capsys.readouterr().err


def test_sockets_of_an_frr_and_another_engine_contradict_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ["--source", f"manifests:{tmp_path}", "--state", str(tmp_path), "--node", "n"]
    assert main(["speaker", *folders, "--bgp-engine", "exabgp", "--frr-sockets", "/run/frr"]) == 4
    assert "--frr-sockets is for FRR" in capsys.readouterr().err
