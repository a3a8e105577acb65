"""Keeps one container of a Pod as its restart policy wants it: start, probe, wait for its end, back off, start again."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import structlog

from tests.e2e.cluster.kubelet import container
from tests.e2e.cluster.kubelet.api import Refused
from tests.e2e.cluster.kubelet.container import Recipe, RunningContainer, StartFailed
from tests.e2e.cluster.kubelet.privileges import NotAllowed
from tests.e2e.cluster.kubelet.probing import Prober
from tests.e2e.cluster.kubelet.spec import Container

log = structlog.get_logger()

FIRST_BACK_OFF_S, LAST_BACK_OFF_S = 0.3, 5.0
HEALTHY_AFTER_S = 10.0
"""A container that ran this long begins its back-off anew. Kubelet: 10 s doubling to 300 s, anew after ten minutes."""


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True, kw_only=True)
class Setting:
    """What a runner is told of its Pod."""

    address: str
    probe_scale: float
    grace_s: float
    restarts: bool
    recipe: Callable[[Container], Awaitable[Recipe]]
    changed: Callable[[], None]
    pid_file: Path
    """Has the number of the container's first process: tests look there."""


@dataclass(slots=True, kw_only=True)
class Runner:
    """One container; `state`, `ready` and the rest are what the Pod's status says of it."""

    container: Container
    setting: Setting
    restart_count: int = 0
    state: dict[str, object] = field(default_factory=lambda: {"waiting": {"reason": "PodInitializing"}})
    last_state: dict[str, object] = field(default_factory=dict)
    ready: bool = False
    is_started: bool = False
    exit_code: int | None = None
    started: asyncio.Event = field(default_factory=asyncio.Event)
    running: RunningContainer | None = None

    @property
    def is_sidecar(self) -> bool:
        """For init containers: one that goes on running beside the others."""
        return self.container.restart_policy == "Always"

    async def run(self) -> None:
        """Until the container has ended for good. When cancelled, it runs on without probes."""
        back_off = FIRST_BACK_OFF_S
        while True:
            began = time.monotonic()
            await self._run_once()
            if self.exit_code == 0 and not self.setting.restarts and not self.is_sidecar:
                return
            back_off = FIRST_BACK_OFF_S if time.monotonic() - began > HEALTHY_AFTER_S else back_off
            await asyncio.sleep(back_off)
            back_off = min(2 * back_off, LAST_BACK_OFF_S)
            self.restart_count += 1

    async def stop(self, deadline: float) -> None:
        """Pre-stop hook, SIGTERM, and SIGKILL at the deadline (monotonic seconds); says how it ended."""
        if self.running is None or not self.running.is_running:
            return
        if hook := self.container.lifecycle.pre_stop:
            await self.running.run(hook.exec.command, max(0.0, deadline - time.monotonic()))
        await self.running.stop(deadline - time.monotonic())
        self._end(await self.running.wait())

    async def _run_once(self) -> None:
        try:
            recipe = await self.setting.recipe(self.container)
            self.running = await container.start(recipe)
        except (StartFailed, NotAllowed, Refused) as error:
            reason = "CreateContainerError" if isinstance(error, StartFailed) else "CreateContainerConfigError"
            self._wait_because(reason, str(error))
            self.exit_code = 128
            return
        self.setting.pid_file.write_text(str(self.running.pid))
        self.state, self.exit_code = {"running": {"startedAt": now()}}, None
        self._begin_probed()
        log.info("started", container=self.container.name, pid=self.running.pid, restarts=self.restart_count)
        async with asyncio.TaskGroup() as tasks:
            probes = tasks.create_task(self._probe(self.running))
            code = await self.running.wait()
            probes.cancel()
        self._end(code)
        self.last_state = self.state
        if self.setting.restarts or self.is_sidecar or code:
            self._wait_because("CrashLoopBackOff", f"back-off restarting failed container {self.container.name}")

    def _begin_probed(self) -> None:
        self.is_started = self.container.startup_probe is None
        self.ready = self.is_started and self.container.readiness_probe is None
        if self.is_started:
            self.started.set()
        self.setting.changed()

    def _wait_because(self, reason: str, message: str) -> None:
        log.warning("waiting", container=self.container.name, reason=reason, message=message)
        self.state = {"waiting": {"reason": reason, "message": message}}
        self.ready = self.is_started = False
        self.setting.changed()

    def _end(self, code: int) -> None:
        log.info("ended", container=self.container.name, code=code)
        reason = "Completed" if code == 0 else "Error"
        self.state = {"terminated": {"exitCode": code, "reason": reason, "finishedAt": now()}}
        self.exit_code, self.ready, self.is_started = code, False, False
        self.setting.changed()

    async def _probe(self, running: RunningContainer) -> None:
        scale, address = self.setting.probe_scale, self.setting.address
        prober = Prober(container=self.container, running=running, address=address, scale=scale)
        if startup := self.container.startup_probe:
            async for passed in prober.fatal(startup):
                if passed:
                    break
                await self._kill(running, "startup")
        self.is_started = True
        self.started.set()
        self.ready = self.container.readiness_probe is None
        self.setting.changed()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_readiness(prober))
            tasks.create_task(self._follow_liveness(prober, running))

    async def _follow_readiness(self, prober: Prober) -> None:
        if probe := self.container.readiness_probe:
            async for passed in prober.verdicts(probe):
                if passed != self.ready:
                    log.info("readiness changed", container=self.container.name, ready=passed)
                    self.ready = passed
                    self.setting.changed()

    async def _follow_liveness(self, prober: Prober, running: RunningContainer) -> None:
        if probe := self.container.liveness_probe:
            async for passed in prober.fatal(probe):
                if not passed:
                    await self._kill(running, "liveness")

    async def _kill(self, running: RunningContainer, probe: str) -> None:
        log.warning("probe failed", container=self.container.name, probe=probe)
        with contextlib.suppress(asyncio.CancelledError):  # its end cancels this probe
            await running.stop(self.setting.grace_s)
        raise asyncio.CancelledError
