"""Probes as kubelet runs them: a period, a limit, and how many results in a row make a change."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from math import ceil

import aiohttp
import msgspec

from tests.e2e.cluster.kubelet.container import RunningContainer
from tests.e2e.cluster.kubelet.spec import Container, Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Prober:
    """Runs the probes of one running container; `scale` shortens periods and delays, not the limits.

    How long a container may fail until it is killed is not shortened, either: that is what the manifest says.
    """

    container: Container
    running: RunningContainer
    address: str
    scale: float

    def fatal(self, probe: Probe) -> AsyncIterator[bool]:
        """The verdicts of a probe that decides over the container's life."""
        failures = ceil(probe.failure_threshold / self.scale)
        return self.verdicts(msgspec.structs.replace(probe, failure_threshold=failures))

    async def verdicts(self, probe: Probe) -> AsyncIterator[bool]:
        """Each verdict as it is reached: `success_threshold` or `failure_threshold` equal results in a row."""
        await asyncio.sleep(probe.initial_delay_seconds * self.scale)
        last, count = None, 0
        while True:
            result = await self._try(probe)
            last, count = result, count + 1 if result == last else 1
            if count >= (probe.success_threshold if result else probe.failure_threshold):
                yield result
            await asyncio.sleep(probe.period_seconds * self.scale)

    async def _try(self, probe: Probe) -> bool:
        if probe.exec:
            return await self.running.run(probe.exec.command, probe.timeout_seconds)
        try:
            async with asyncio.timeout(probe.timeout_seconds):
                return await self._asks_http(probe) if probe.http_get else await self._connects(probe)
        except (TimeoutError, OSError, aiohttp.ClientError):
            return False

    async def _asks_http(self, probe: Probe) -> bool:
        assert probe.http_get
        wanted = probe.http_get
        url = f"http://{_bracketed(wanted.host or self.address)}:{self._port(wanted.port)}/{wanted.path.lstrip('/')}"
        async with aiohttp.ClientSession() as session, session.get(url, allow_redirects=False) as answer:
            return 200 <= answer.status < 400

    async def _connects(self, probe: Probe) -> bool:
        assert probe.tcp_socket
        wanted = probe.tcp_socket
        _, writer = await asyncio.open_connection(wanted.host or self.address, self._port(wanted.port))
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True

    def _port(self, port: int | str) -> int:
        """A port's name is one of the container's."""
        if isinstance(port, int):
            return port
        return next(one.container_port for one in self.container.ports if one.name == port)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
