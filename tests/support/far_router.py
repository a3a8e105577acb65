"""The router on the other side, run by FRR or BIRD with exactly what `ferrule router-config` prints, and what it knows."""

import json
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from tenacity import RetryCallState, retry, retry_if_result, stop_after_attempt

from orchestrator.cli.main import main
from orchestrator.lab import probes
from orchestrator.lab.namespaces import Namespace
from orchestrator.render.router_config import Vendor
from tests.support.frr import Daemons
from tests.support.frr_versions import FrrVersion, vtysh

BIRD = Path("/usr/sbin/bird")
NUMBERS = {"graceful-shutdown": "65535:0"}
"""FRR's names of communities."""
BUSY = "could not lock running DS"
"""FRR 10's mgmtd says so to a line that comes while it commits an earlier one."""
ENTERED_AGAIN = 20
ADVICE = "% Echo mode works correctly"
"""FRR says so to whoever switches it on, and does it."""


def last_result(state: RetryCallState) -> list[str]:
    """What the last attempt returned."""
    assert state.outcome is not None
    refused: list[str] = state.outcome.result()
    return refused


class RouterKind(Enum):
    """The routers that the tests run; the value is for the names of tests."""

    FRR_8 = "frr-8.4"
    FRR_10 = "frr-10.3"
    BIRD_2 = "bird-2"

    @property
    def vendor(self) -> Vendor:
        """Whose language it understands."""
        return Vendor.BIRD if self is RouterKind.BIRD_2 else Vendor.FRR

    @property
    def version(self) -> FrrVersion:
        return FrrVersion.DEBIAN_13 if self is RouterKind.FRR_10 else FrrVersion.MACHINE


on_every_router = pytest.mark.parametrize("kind", list(RouterKind), ids=lambda kind: kind.value)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class FarPath:
    """What a router knows of one path; communities of all kinds as `1:2` and `1:2:3`, sorted.

    `stale`: kept for a node that restarts. BIRD 2.0 keeps them and does not say which.
    """

    local_pref: int
    communities: tuple[str, ...]
    stale: bool = False


def printed(capsys: Any, kind: RouterKind, *peers: str, words: Sequence[str]) -> str:
    """Standard output of `ferrule router-config` for these peers of a router of this kind."""
    capsys.readouterr()
    chosen = [word for peer in peers for word in ("--peer", peer)]
    assert main(["router-config", *chosen, "--vendor", kind.vendor.value, *words]) == 0
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

    @retry(
        retry=retry_if_result(lambda refused: any(BUSY in line for line in refused)),
        stop=stop_after_attempt(ENTERED_AGAIN),
        retry_error_callback=last_result,
    )
    def enter(self, text: str) -> list[str]:
        """Enter lines after `configure terminal`, again while mgmtd is busy with an earlier one; return what is refused."""
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

    async def paths(self, prefix: str) -> list[FarPath]:
        """The paths to a prefix, sorted."""
        family = "ipv6" if ":" in prefix else "ipv4"
        found = (await self._daemons.json(f"show bgp {family} unicast {prefix} json")).get("paths", [])
        return sorted(
            FarPath(
                local_pref=path.get("locPrf", 100),
                communities=tuple(sorted((*_frr_words(path, "community"), *_frr_words(path, "largeCommunity")))),
                stale=path.get("stale", False),
            )
            for path in found
        )

    async def sent(self) -> int:
        """How many prefixes it sends to nodes, in both families."""
        text = (await self._daemons.ask("bgpd", "show bgp neighbors json"))[0]
        return sum(map(int, re.findall(r'"sentPrefixCounter":(\d+)', text)))

    async def talk(self, text: str, prefixes: Sequence[str]) -> None:
        """Do what the printed `text` keeps it from: send the nodes these prefixes, and what it has from others."""
        maps = re.findall(r"^route-map (\S+-out) deny 10$", text, re.MULTILINE)
        asn = re.findall(r"^router bgp (\d+)$", text, re.MULTILINE)[0]
        lines = [f"route-map {name} permit 10\nexit" for name in maps]
        lines += [f"router bgp {asn}", "no bgp network import-check"]
        for family, own in by_family(prefixes).items():
            lines += [f"address-family {family} unicast", *(f"network {prefix}" for prefix in own), "exit"]
        if refused := self.enter("\n".join((*lines, ""))):
            raise AssertionError(refused)
        await self._daemons.ask("bgpd", "clear bgp * soft out")


def _frr_words(path: Mapping[str, Any], key: str) -> Iterable[str]:
    return (NUMBERS.get(word, word) for word in path.get(key, {}).get("string", "").split())


def by_family(prefixes: Iterable[str]) -> dict[str, list[str]]:
    """The prefixes by the daemons' word for their family."""
    found: dict[str, list[str]] = {"ipv4": [], "ipv6": []}
    for prefix in prefixes:
        found["ipv6" if ":" in prefix else "ipv4"].append(prefix)
    return found


class BirdRouter:
    """One BIRD with the text as its whole configuration."""

    vendor = Vendor.BIRD

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self._namespace = namespace
        self._folder = folder

    async def start(self, text: str) -> None:
        self._write(text)
        with (self._folder / "bird.log").open("w") as log:
            self._namespace.popen(
                [
                    str(BIRD),
                    "-f",
                    "-c",
                    str(self._configuration),
                    "-s",
                    str(self._socket),
                    "-P",
                    str(self._folder / "bird.pid"),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        probes.until(lambda: "Daemon is up" in self.ask("show status"), "BIRD")

    @property
    def _socket(self) -> Path:
        return self._folder / "bird.ctl"

    @property
    def _configuration(self) -> Path:
        return self._folder / "bird.conf"

    def _write(self, text: str) -> None:
        self._configuration.write_text(text)

    def ask(self, command: str) -> str:
        """A route that is not there counts as an error to birdc."""
        return self._namespace.run([f"{BIRD}c", "-s", str(self._socket), command], check=False).stdout

    def _sessions(self) -> list[str]:
        """What BIRD says of each BGP session, those included that it made itself for neighbors in a range."""
        blocks = re.split(r"\n\n", self.ask("show protocols all"))
        return [block for block in blocks if "BGP state:" in block]

    async def established(self) -> frozenset[str]:
        up = (block for block in self._sessions() if re.search(r"BGP state: +Established", block))
        return frozenset(found[1] for block in up if (found := re.search(r"Neighbor address: ([^\s%]+)", block)))

    async def watched(self) -> int:
        return len(re.findall(r"\sUp\s", self.ask("show bfd sessions")))

    async def paths(self, prefix: str) -> list[FarPath]:
        """The paths to a prefix, sorted."""
        blocks = self.ask(f"show route for {prefix} all").split(" unicast [")[1:]
        return sorted(
            FarPath(
                local_pref=int(re.findall(r"BGP.local_pref: (\d+)", block)[0]),
                communities=tuple(sorted(_bird_communities(block))),
            )
            for block in blocks
        )

    async def sent(self) -> int:
        return sum(map(int, re.findall(r"(\d+) exported", "".join(self._sessions()))))

    async def talk(self, text: str, prefixes: Sequence[str]) -> None:
        """Do what the printed `text` keeps it from: send the nodes these prefixes, and what it has from others."""
        statics = [
            f"protocol static {{ {family}; {' '.join(f'route {prefix} blackhole;' for prefix in own)} }}\n"
            for family, own in by_family(prefixes).items()
        ]
        self._write("".join((text.replace("export none;", "export all;"), *statics)))
        answer = self.ask("configure")
        assert "Reconfig" in answer, answer


def _bird_communities(block: str) -> Iterable[str]:
    """(1,2) and (1, 2, 3) as FRR writes them."""
    for words in re.findall(r"BGP\.(?:large_)?community: (.*)", block):
        yield from (":".join(re.findall(r"\d+", word)) for word in re.findall(r"\([^)]*\)", words))


Router = FrrRouter | BirdRouter


def router_of(kind: RouterKind, machine: Daemons) -> Router:
    """The router of that kind on a machine, not started yet."""
    if kind.vendor is Vendor.FRR:
        return FrrRouter(machine)
    return BirdRouter(machine.namespace, machine.run.path)


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
