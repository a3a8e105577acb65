"""The control plane that other tests stand on: what it promises holds."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.lab import namespaces, probes
from tests.support import binaries
from tests.support.plane import Plane, PlaneError, running_plane
from tests.support.plane_fixture import Tenant

CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "b"}}


def test_what_was_stored_outlives_the_api_server(plane: Plane, tenant: Tenant) -> None:
    status, _ = plane.request("POST", f"/api/v1/namespaces/{tenant.name}/configmaps", CONFIG_MAP)
    assert status == 201
    plane.stop_api_server()
    assert not plane.is_ready()
    plane.start_api_server()
    status, found = plane.request("GET", f"/api/v1/namespaces/{tenant.name}/configmaps/one")
    assert (status, found["data"]) == (200, {"a": "b"})


def test_account_without_role_is_refused(plane: Plane, tenant: Tenant) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody"}}
    assert plane.request("POST", f"/api/v1/namespaces/{tenant.name}/serviceaccounts", account)[0] == 201
    config = plane.account_kubeconfig(tenant.name, "nobody")
    command = [str(binaries.path("kubectl")), "--kubeconfig", str(config), "get", "secrets", "-n", tenant.name]
    done = plane.namespace.run(command, check=False)
    assert "Forbidden" in done.stderr
    assert f"system:serviceaccount:{tenant.name}:nobody" in done.stderr


def test_plane_reaches_nothing_outside(plane: Plane) -> None:
    assert plane.namespace.run(["ip", "route", "show", "default"]).stdout == ""


def test_two_planes_run_side_by_side(plane: Plane) -> None:
    with running_plane(controllers=("serviceaccount-controller",)) as other:
        assert other.request("POST", "/api/v1/namespaces/default/configmaps", CONFIG_MAP)[0] == 201
        assert plane.request("GET", "/api/v1/namespaces/default/configmaps/one")[0] == 404


def test_refused_flag_is_told_with_the_log(tmp_path: Path) -> None:
    before = namespaces.names("plane-")
    with pytest.raises(PlaneError, match="unknown flag: --no-such-flag"):
        Plane.start(tmp_path, flags=["--no-such-flag"])
    assert namespaces.names("plane-") == before


def test_missing_programs_are_told_with_the_command_that_builds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(binaries.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(binaries.NotBuilt, match=r"etcd, kube-apiserver.*make cluster"):
        Plane.start(tmp_path / "plane")


CHILD = """
import time
from tests.support.plane import running_plane
with running_plane() as plane:
    print(plane.namespace.name, plane.pid("etcd"), plane.pid("kube-apiserver"), plane.folder, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_runs_on_after_the_test_process_was_ended(how: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        name, etcd, server, folder = child.stdout.readline().split()
        child.send_signal(how)
        child.wait()
    probes.until(lambda: not _running(int(etcd)) and not _running(int(server)), "the end of the plane's processes")
    if how == signal.SIGTERM:
        assert name not in namespaces.names("plane-")
        assert not Path(folder).exists()
    else:
        namespaces.Namespace(name).remove()
        subprocess.run(["rm", "-rf", folder], check=True)


def _running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
