"""`ferrule respond`: answer ARP and NDP for the addresses that the speaker hands over.

The process shall stay below 25 MiB, so it goes without what its libraries load if they can: see `UNUSED`.
"""

import argparse
import gc
import sys
from collections.abc import Iterable

from orchestrator.cli.arguments import add_log_level, add_node_arguments
from orchestrator.settings import RunFolder

UNUSED = ("ssl", "_hashlib", "rich", "typing_extensions")
"""Modules that asyncio, hashlib, structlog and msgspec use if they are there and do without if not.

RSS after all imports, Python 3.11: 32 MiB with them, 22 without. Two are OpenSSL, which the responder needs for nothing:
the SHA-256 of a heartbeat is Python's own.
"""


def go_without(modules: Iterable[str]) -> None:
    """Let each import of these fail from now on, as if they were not installed; those imported already stay."""
    for name in modules:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # None is documented to make an import fail


def collect_rarely() -> None:
    """Let the collector of cycles leave alone what is there already, and look through everything else 100 times less.

    It takes 15 ms for the modules and 5000 addresses, in which nobody is answered. What it would find is little: our
    own values refer to each other in one direction.
    """
    gc.freeze()
    young, middle, old = gc.get_threshold()
    gc.set_threshold(young, middle, 100 * old)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which node, where its speaker finds us; all else comes with the speaker's tables."""
    add_node_arguments(parser)
    add_log_level(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT."""
    go_without(UNUSED)
    import asyncio

    from orchestrator.observe import logs
    from orchestrator.runtime import responder
    from orchestrator.runtime.responder import ResponderSettings

    settings = ResponderSettings(run=RunFolder(arguments.run), node=arguments.node, log_level=arguments.log_level)
    logs.configure(settings.log_level)
    collect_rarely()
    asyncio.run(responder.run(settings))
    return 0
