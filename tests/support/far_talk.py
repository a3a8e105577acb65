"""What a router that sends routes all the same does to our nodes: nothing."""

from tests.support.far_fabric import Fabric
from tests.support.far_manifests import WEB
from tests.support.far_router import Router

TALK = (
    f"{WEB[0]}/32", f"{WEB[1]}/128", "203.0.113.0/24", "0.0.0.0/0", "::/0", "2001:db8:77::/48",
    *(f"10.77.{number}.0/24" for number in range(100)),
)  # fmt: skip
"""What a router may send: our own addresses, our pool, the way to everywhere, and many others."""


async def nothing_is_accepted(router: Router, made: Fabric, text: str) -> None:
    """The router sends what it was told not to send; no node has any of it, nor has its kernel."""
    kernels = _kernels(made)
    before = await _received(made)
    await router.talk(text, TALK)

    async def arrived() -> bool:
        now = await _received(made)
        return all(now[key] > count for key, count in before.items())

    await made.eventually(arrived, "the router's routes at every node")
    for node in made.frr.values():
        summary = await node.json("show bgp summary json")
        accepted = [peer["pfxRcd"] for family in summary.values() for peer in family["peers"].values()]
        assert set(accepted) == {0}, accepted
        for family in ("ipv4", "ipv6"):
            table = await node.json(f"show bgp {family} unicast json")
            foreign = [path for paths in table["routes"].values() for path in paths if path["peerId"] != "(unspec)"]
            assert foreign == [], foreign
    after = _kernels(made)
    assert after == kernels, (kernels, after)


def _kernels(made: Fabric) -> dict[str, list[str]]:
    """The routes of every node's kernel, but for its own and those of router advertisements."""
    return {
        name: [
            line
            for family in ("-4", "-6")
            for line in node.namespace.run(["ip", family, "route", "show", "table", "all"]).stdout.splitlines()
            if "proto kernel" not in line and "proto ra" not in line
        ]
        for name, node in made.nodes.items()
    }


async def _received(made: Fabric) -> dict[tuple[str, str], int]:
    """How many UPDATE messages each node got over each session."""
    found: dict[tuple[str, str], int] = {}
    for name, node in made.frr.items():
        neighbors = await node.json("show bgp neighbors json")
        found |= {(name, peer): neighbors[peer]["messageStats"]["updatesRecv"] for peer in neighbors}
    for name, driven in made.exabgp.items():
        for each in await driven.announcer.sessions():
            found[name, each.neighbor] = each.messages.updates_received
    return found
