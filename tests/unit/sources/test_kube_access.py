"""Credentials as they lie on the disk: nothing here talks to a server."""

import json
import stat
from pathlib import Path

import pytest
from kubernetes.aio.client.configuration import Configuration

from orchestrator.errors import StartupError
from orchestrator.sources.kube.access import Access, Freshness, Pod
from tests.support.certificates import Authority

EVERY_TIME = Freshness(refresh_s=0.0)
"""What is read every minute is read with each request."""


def kubeconfig(folder: Path, user: object, context: str = "one") -> Path:
    path = folder / "config"
    contexts = [{"name": name, "context": {"cluster": name, "user": "u"}} for name in ("one", "two")]
    clusters = [{"name": name, "cluster": {"server": f"http://{name}.example:80"}} for name in ("one", "two")]
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": context, "clusters": clusters,
        "contexts": contexts, "users": [{"name": "u", "user": user}],
    }  # fmt: skip
    path.write_text(json.dumps(config))
    return path


def plugin(folder: Path, status: object) -> object:
    """A user whose credentials a plugin tells; it counts how often it runs."""
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    (folder / "credential").write_text(json.dumps(credential))
    script = folder / "plugin"
    script.write_text(f"#!/bin/sh\necho run >> {folder}/runs\ncat {folder}/credential\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(script)}}


def runs(folder: Path) -> int:
    return len((folder / "runs").read_text().splitlines())


async def test_pod_reads_its_token_again_when_it_rotates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    (tmp_path / "ca.crt").write_text(Authority(tmp_path / "pki").certificate.read_text())
    (tmp_path / "token").write_text("first")
    configuration, pod = Configuration(), Pod(tmp_path)
    await pod.load(configuration)
    opened = Access(configuration, pod, EVERY_TIME)
    assert configuration.host == "https://[fd00::1]:443"
    assert await opened.headers() == {"authorization": "bearer first"}
    (tmp_path / "token").write_text("second")
    assert await opened.headers() == {"authorization": "bearer second"}
    (tmp_path / "token").unlink()
    assert await opened.headers() == {"authorization": "bearer second"}
    assert "does not exist" in opened.trouble


async def test_context_chooses_the_cluster(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, {"token": "t"})
    assert (await Access.open(path, "")).configuration.host == "http://one.example:80"
    assert (await Access.open(path, "two")).configuration.host == "http://two.example:80"


async def test_edited_kubeconfig_counts(tmp_path: Path) -> None:
    opened = await Access.open(kubeconfig(tmp_path, {"token": "old"}), "", EVERY_TIME)
    kubeconfig(tmp_path, {"token": "newer"})
    assert await opened.headers() == {"authorization": "Bearer newer"}
    (tmp_path / "config").write_text("{")
    assert await opened.headers() == {"authorization": "Bearer newer"}
    assert opened.trouble


async def test_token_file_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("old")
    opened = await Access.open(kubeconfig(tmp_path, {"tokenFile": "token"}), "", EVERY_TIME)
    (tmp_path / "token").write_text("new")
    assert await opened.headers() == {"authorization": "Bearer new"}


async def test_plugin_runs_again_only_when_its_token_ends(tmp_path: Path) -> None:
    user = plugin(tmp_path, {"token": "long", "expirationTimestamp": "2999-01-01T00:00:00Z"})
    opened = await Access.open(kubeconfig(tmp_path, user), "", EVERY_TIME)
    assert await opened.headers() == {"authorization": "Bearer long"}
    assert runs(tmp_path) == 1


async def test_plugin_runs_again_when_its_token_has_ended(tmp_path: Path) -> None:
    user = plugin(tmp_path, {"token": "ended", "expirationTimestamp": "2001-01-01T00:00:00Z"})
    opened = await Access.open(kubeconfig(tmp_path, user), "", EVERY_TIME)
    plugin(tmp_path, {"token": "next", "expirationTimestamp": "2999-01-01T00:00:00Z"})
    assert await opened.headers() == {"authorization": "Bearer next"}
    assert await opened.headers() == {"authorization": "Bearer next"}
    assert runs(tmp_path) == 2


async def test_rejected_credentials_are_read_before_their_minute(tmp_path: Path) -> None:
    hourly = Freshness(refresh_s=3600.0, rejected_refresh_s=0.0)
    opened = await Access.open(kubeconfig(tmp_path, {"token": "old"}), "", hourly)
    kubeconfig(tmp_path, {"token": "newer"})
    assert await opened.headers() == {"authorization": "Bearer old"}
    opened.rejected()
    assert await opened.headers() == {"authorization": "Bearer newer"}


@pytest.mark.parametrize("content", [None, "", "{", "[]", "users: 5", "{}"])
async def test_file_that_is_no_kubeconfig_is_told_with_the_remedy(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    with pytest.raises(StartupError, match=r"kubeconfig .*config: .*give --kubeconfig FILE"):
        await Access.open(path, "")


async def test_unknown_context_is_told(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="three"):
        await Access.open(kubeconfig(tmp_path, {"token": "t"}), "three")


async def test_outside_a_pod_a_kubeconfig_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(StartupError, match="this is no pod"):
        await Access.open(None, "")
