"""A bgpd that nobody hears: what it says to a text of `bgpextras` is known before the node's own bgpd sees it.

It runs for some 100 ms in a folder of its own, listens nowhere and has no zebra. It calls nobody either: between the
marker that begins the reading of a whole configuration and the one that ends it, bgpd starts no session (8.4.4 and 10.3,
tried), and the second is never sent. Its folder has a list of children like the supervisor's own, for a successor to reap.
"""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import structlog

from orchestrator.apply.frr_extras import load
from orchestrator.apply.vty import VtyClient
from orchestrator.errors import OrchestratorError
from orchestrator.fsm.supervision import Program
from orchestrator.fsm.supervisor_api import Tried, Try
from orchestrator.render.canonical import parse
from orchestrator.render.difference import difference
from orchestrator.render.extras import Trial
from orchestrator.settings import RunFolder
from orchestrator.supervise import frr, leftovers
from orchestrator.supervise.process import ChildProcess, Output

log = structlog.get_logger()

BEGIN = "XFRR_start_configuration"
LIMIT_S = 20.0
END_LIMIT_S = 1.0


class Scratch:
    """Answers what the speaker asks, one question after the other; of those that wait only the newest counts."""

    def __init__(self, binaries: Path, run: RunFolder, answer: Callable[[Tried], None]) -> None:
        self._binaries = binaries
        self._files = RunFolder(run.trial)
        self._answer = answer
        self._question: Try | None = None
        self._asked = asyncio.Event()

    def ask(self, question: Try) -> None:
        """Take a question in; its answer comes soon."""
        self._question = question
        self._asked.set()

    async def run(self) -> NoReturn:
        """Answer until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            if self._question is not None:
                self._answer(await self._tried(self._question))

    async def _tried(self, question: Try) -> Tried:
        try:
            trial = await self._with_bgpd(question)
        except (OrchestratorError, OSError) as error:  # TimeoutError is an OSError
            reason = str(error) or type(error).__name__
            log.error("extra FRR text could not be tried", reason=reason)
            return Tried(key=question.key, trouble=reason)
        finally:
            shutil.rmtree(self._files.path, ignore_errors=True)
        refused = trial.refused
        log.info("extra FRR text tried", refused=refused is not None)
        if refused is None:
            return Tried(key=question.key, before=trial.before, after=trial.after)
        return Tried(key=question.key, number=refused.number, line=refused.line, words=refused.words)

    async def _with_bgpd(self, question: Try) -> Trial:
        frr.prepare_folder(self._files.path)
        self._files.daemon_conf(frr.BGPD).touch()
        installation = frr.Installation(binaries=self._binaries, files=self._files)
        command = frr.command(installation, Program(name=frr.BGPD))
        process = await ChildProcess.start(frr.BGPD, command, Output.FORWARDED)
        leftovers.write_children(self._files.children, [process.identity])
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(process.wait(lambda line: log.debug(line, daemon="scratch bgpd")))
            try:
                async with asyncio.timeout(LIMIT_S):
                    return await self._loaded(question)
            finally:
                await process.end(END_LIMIT_S)
                frr.clear_scratch(frr.BGPD, process.identity.pid)

    async def _loaded(self, question: Try) -> Trial:
        client = await VtyClient.connect(frr.BGPD, self._files.vty(frr.BGPD), patience_s=LIMIT_S)
        try:
            for command in ("configure terminal", BEGIN):
                await client.run(command)
            await client.configure(difference(frozenset(), parse(question.base), frozenset()).commands)
            return await load(client, question.text)
        finally:
            client.close()


def clear(run: RunFolder) -> None:
    """End what a supervisor that was killed left of a trial: after 10 minutes it would start to call our peers."""
    files = RunFolder(run.trial)
    for child in leftovers.reap(leftovers.read_children(files.children), END_LIMIT_S):
        frr.clear_scratch(child.name, child.pid)
    shutil.rmtree(files.path, ignore_errors=True)
