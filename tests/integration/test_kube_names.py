"""Names of what an earlier process left, asked for at the start of a process: a moment's refusal is no answer."""

from pathlib import Path

import pytest

from orchestrator.errors import KubeError
from orchestrator.sources.kube.access import Access
from orchestrator.sources.kube.api import Api
from orchestrator.sources.kube.naming import list_names
from tests.support.kube_front import Front, front_of
from tests.support.kube_reading import Recorder
from tests.support.plane import Plane


async def _names(front: Front) -> frozenset[str]:
    api = Api(await Access.open(front.kubeconfig, ""), Recorder())
    try:
        return await list_names(api, "ConfigMap", "kube-system", "")
    finally:
        await api.close()


def test_names_are_asked_for_again_while_a_server_starts_and_not_when_it_refuses(plane: Plane, tmp_path: Path) -> None:
    async def story() -> None:
        async with front_of(plane, tmp_path) as front:
            front.refuse("configmaps", 429, times=2)
            assert "extension-apiserver-authentication" in await _names(front)
            assert len(front.asked("configmaps", watch=False)) == 3
            front.refuse("configmaps", 403, times=1)
            with pytest.raises(KubeError, match="403"):
                await _names(front)

    plane.run(story())
