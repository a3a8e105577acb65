"""Loads raw FRR text into a daemon as its own reading of a file would: line by line, each in the place that it leads to.

The daemon looks for a line in the present place and then further out, so indentation does not matter. Stops at the first
line that is refused.
"""

from orchestrator.apply.vty import VtyClient
from orchestrator.config.extras import numbered
from orchestrator.render.extras import Refused, Trial

SHOW_RUNNING = "show running-config"
LEAVING = frozenset({"end", "exit", "quit"})


async def load(client: VtyClient, text: str) -> Trial:
    """Return what became of the configuration. Raises DaemonError if the connection breaks."""
    before = await client.run(SHOW_RUNNING)
    refused = await _first_refusal(client, text)
    await client.ask(["end"])
    return Trial(before=before, after=await client.run(SHOW_RUNNING), refused=refused)


async def _first_refusal(client: VtyClient, text: str) -> Refused | None:
    await client.run("configure terminal")
    for number, line in numbered(text):
        answer = (await client.ask([line]))[0]
        if not answer.ok:
            return Refused(number=number, line=line, words=answer.words)
        if line in LEAVING:  # out of configuration, perhaps; elsewhere this is refused and changes nothing
            await client.ask(["configure terminal"])
    return None
