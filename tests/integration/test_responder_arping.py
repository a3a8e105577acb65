"""`arping` against the responder: duplicate detection, and announcements by somebody who should not."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from orchestrator.fsm.responder_api import Claimed, TableApplied
from orchestrator.lab.namespaces import Namespace
from tests.support.neighbors import lan, mac_of
from tests.support.responders import DEADLINE_S, Node, answers, responder

__all__ = ["lan"]

OURS, FREE = "192.0.2.10", "192.0.2.11"


@pytest_asyncio.fixture
async def node(lan: tuple[Namespace, Namespace], tmp_path: Path) -> AsyncIterator[Node]:
    async with responder(lan[0], tmp_path, "node") as running:
        running.send(OURS)
        await running.next(TableApplied)
        yield running


def is_free(asker: Namespace, address: str) -> bool:
    """Whether duplicate address detection of `arping` finds nobody."""
    asked = ["arping", "-D", "-c", "2", "-w", "2", "-I", "eth0", address]
    return asker.run(asked, check=False, timeout_s=DEADLINE_S).returncode == 0


async def test_duplicate_detection_finds_us(lan: tuple[Namespace, Namespace], node: Node) -> None:
    assert not is_free(lan[1], OURS)
    assert is_free(lan[1], FREE)


@pytest.mark.parametrize("form", ["-A", "-U"], ids=["reply", "request"])
async def test_announcement_of_another_is_reported_and_we_go_on(
    lan: tuple[Namespace, Namespace], node: Node, form: str
) -> None:
    lan[1].sysctl("net.ipv4.ip_nonlocal_bind", 1)
    lan[1].run(["arping", form, "-c", "1", "-I", "eth0", "-s", OURS, OURS], check=False, timeout_s=DEADLINE_S)
    claimed = await node.next(Claimed)
    assert (claimed.address, claimed.interface, claimed.mac) == (OURS, "eth0", str(mac_of(lan[1])))
    assert answers(lan[1], OURS)
