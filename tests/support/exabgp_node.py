"""ExaBGP of one node: started as the supervisor does it, driven by the speaker's announcer."""

import asyncio
import subprocess
from dataclasses import replace

from orchestrator.apply.exabgp import ApplyResult, ExabgpAnnouncer
from orchestrator.render.exabgp import ExabgpDocument
from orchestrator.runtime.offline import SHOWN_HELPER
from orchestrator.supervise import exabgp
from tests.support.frr import PATIENCE_S, Daemons, eventually


class ExabgpNode:
    """The ExaBGP of one run folder and what tells it its routes; call `attend` while something is waited for."""

    def __init__(self, node: Daemons) -> None:
        self.node = node
        self.news = asyncio.Event()
        self._newest: ExabgpDocument | None = None
        self._child: subprocess.Popen[str] | None = None
        self.announcer = ExabgpAnnouncer(
            node.run,
            gid=node.run.path.stat().st_gid,
            validator=exabgp.command(("validate",)),
            on_news=self.news.set,
            patience_s=PATIENCE_S,
        )

    async def apply(self, document: ExabgpDocument) -> ApplyResult:
        """Apply, starting ExaBGP as the supervisor does: when its file is there."""
        self._newest = document
        async with asyncio.TaskGroup() as group:
            applying = group.create_task(self.announcer.apply(document))
            if self._child is None:
                await eventually(self._file_is_there, "exabgp.conf")
                self.start()
        return applying.result()

    async def apply_shown(self, document: ExabgpDocument) -> ApplyResult:
        """Apply what `ferrule render` shows, with this machine's paths in it."""
        helper = " ".join(exabgp.helper_command(self.node.run))
        return await self.apply(replace(document, process=document.process.replace(" ".join(SHOWN_HELPER), helper)))

    async def attend(self) -> None:
        """Apply once more if the announcer asked for it, as the speaker does; not while ExaBGP is dead."""
        if self.news.is_set() and self._newest and self._child and self._child.poll() is None:
            self.news.clear()
            await self.announcer.apply(self._newest)

    async def _file_is_there(self) -> bool:
        return self.node.run.daemon_conf("exabgp").exists()

    def start(self) -> None:
        words = exabgp.command(("server", str(self.node.run.daemon_conf("exabgp"))))
        with (self.node.run.path / "exabgp.log").open("a") as log:
            self._child = self.node.namespace.popen(list(words), stdout=log, stderr=subprocess.STDOUT)

    def kill(self) -> None:
        """End it as a crash does."""
        assert self._child is not None
        self._child.kill()
        self._child.wait(timeout=PATIENCE_S)

    def close(self) -> None:
        """Forget the connection; ExaBGP runs on until its namespace ends."""
        self.announcer.close()
