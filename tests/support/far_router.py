"""The router on the other side, run by FRR or BIRD with exactly what `ferrule router-config` prints, and what it knows."""

import json
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from orchestrator.cli.main import main
from orchestrator.lab import probes
from orchestrator.lab.namespaces import Namespace
from orchestrator.render.router_config import Vendor
from tests.support.frr import Daemons
from tests.support.frr_versions import vtysh

BIRD = Path("/usr/sbin/bird")
ADVICE = "% Echo mode works correctly"
"""FRR says so to whoever switches it on, and does it."""


def printed(capsys: Any, *words: str) -> str:
    """Standard output of `ferrule router-config`."""
    capsys.readouterr()
    assert main(["router-config", *words]) == 0
    text: str = capsys.readouterr().out
    return text


class FrrRouter:
    """zebra, bfdd and bgpd that start with nothing; the text is entered in vtysh, as a person would."""

    vendor = Vendor.FRR

    def __init__(self, daemons: Daemons) -> None:
        self._daemons = daemons
        (daemons.run.path / "vtysh.conf").touch()

    async def start(self, text: str) -> None:
        for daemon in ("zebra", "bfdd", "bgpd"):
            self._daemons.run.daemon_conf(daemon).write_text("! empty\n")
            self._daemons.run.daemon_conf(daemon).chmod(0o644)
            self._daemons.start(daemon)
            await self._daemons.ask(daemon, "show version")
        if refused := self.enter(text):
            raise AssertionError(refused)

    def enter(self, text: str) -> list[str]:
        """Enter lines after `configure terminal`; return what is refused."""
        sockets = ["--vty_socket", str(self._daemons.run.path), "--config_dir", str(self._daemons.run.path)]
        program = str(vtysh(self._daemons.version))
        done = self._daemons.namespace.run([program, *sockets], stdin=f"configure terminal\n{text}end\n", timeout_s=30)
        return [line for line in done.stdout.splitlines() if line.startswith("%") and not line.startswith(ADVICE)]

    async def established(self) -> frozenset[str]:
        families = await self._daemons.json("show bgp summary json")
        peers = {name: peer for family in families.values() for name, peer in family.get("peers", {}).items()}
        return frozenset(name for name, peer in peers.items() if peer["state"] == "Established")

    async def watched(self) -> int:
        """How many BFD sessions are up."""
        return (await self._daemons.ask("bfdd", "show bfd peers json"))[0].count('"status":"up"')

    async def preferences(self, prefix: str) -> list[int]:
        """The local preference of each path to a prefix, sorted."""
        family = "ipv6" if ":" in prefix else "ipv4"
        paths = (await self._daemons.json(f"show bgp {family} unicast {prefix} json")).get("paths", [])
        return sorted(path.get("locPrf", 100) for path in paths)

    async def sent(self) -> int:
        """How many prefixes it sends to nodes, in both families."""
        text = (await self._daemons.ask("bgpd", "show bgp neighbors json"))[0]
        return sum(map(int, re.findall(r'"sentPrefixCounter":(\d+)', text)))


class BirdRouter:
    """One BIRD with the text as its whole configuration."""

    vendor = Vendor.BIRD

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self._namespace = namespace
        self._folder = folder

    async def start(self, text: str) -> None:
        path = self._folder / "bird.conf"
        path.write_text(text)
        with (self._folder / "bird.log").open("w") as log:
            self._namespace.popen(
                [str(BIRD), "-f", "-c", str(path), "-s", str(self._socket), "-P", str(self._folder / "bird.pid")],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        probes.until(self._socket.exists, "BIRD's socket")

    @property
    def _socket(self) -> Path:
        return self._folder / "bird.ctl"

    def ask(self, command: str) -> str:
        """A route that is not there counts as an error to birdc."""
        return self._namespace.run([f"{BIRD}c", "-r", "-s", str(self._socket), command], check=False).stdout

    def _sessions(self) -> list[str]:
        """What BIRD says of each BGP session, those included that it made itself for neighbors in a range."""
        blocks = re.split(r"\n\n", self.ask("show protocols all"))
        return [block for block in blocks if "BGP state:" in block]

    async def established(self) -> frozenset[str]:
        up = (block for block in self._sessions() if re.search(r"BGP state: +Established", block))
        return frozenset(found[1] for block in up if (found := re.search(r"Neighbor address: ([^\s%]+)", block)))

    async def watched(self) -> int:
        return len(re.findall(r"\sUp\s", self.ask("show bfd sessions")))

    async def preferences(self, prefix: str) -> list[int]:
        return sorted(map(int, re.findall(r"BGP.local_pref: (\d+)", self.ask(f"show route for {prefix} all"))))

    async def sent(self) -> int:
        return sum(map(int, re.findall(r"(\d+) exported", "".join(self._sessions()))))


Router = FrrRouter | BirdRouter


def equal_paths(namespace: Namespace, prefixes: Iterable[str]) -> list[int]:
    """Over how many nodes the kernel spreads each prefix; a next hop may be of the other family."""
    return [_paths(namespace, prefix) for prefix in prefixes]


def _paths(namespace: Namespace, prefix: str) -> int:
    family = "-6" if ":" in prefix else "-4"
    found: list[Any] = json.loads(namespace.run(["ip", "-json", family, "route", "show", prefix]).stdout or "[]")
    return sum(len(route.get("nexthops", [route])) for route in found)


def shares(namespace: Namespace, prefix: str) -> dict[str, int]:
    """How the kernel shares a prefix' traffic: percent by next hop; empty while there is only one."""
    found: list[Any] = json.loads(namespace.run(["ip", "-json", "route", "show", prefix], check=False).stdout or "[]")
    weights = {hop["gateway"]: hop["weight"] for route in found for hop in route.get("nexthops", ())}
    return {gateway: round(100 * weight / sum(weights.values())) for gateway, weight in sorted(weights.items())}
