"""`ferrule failover`: writes, removes and lists Failover objects, and watches whether the owner follows.

Works on folders and in a cluster. Nothing here decides who answers: the speakers do, from the same objects.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.config.model import NodeName
from orchestrator.config.resolve import resolve
from orchestrator.config.wording import listed
from orchestrator.decide.failovers import Circumstances, Standing, explanation, object_name, reached, standing
from orchestrator.errors import InvalidConfig, NotReady
from orchestrator.net.addresses import IpAddress, address_key, parse_address
from orchestrator.resources.core import LoadBalancerIngress, Service
from orchestrator.resources.extensions import Failover, FailoverSpec
from orchestrator.resources.meta import ObjectKey, ObjectMeta, ObjectRef
from orchestrator.resources.selectors import admits
from orchestrator.runtime.command_origin import CommandOrigin
from orchestrator.runtime.last_good import from_config_map


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What became of a move: who answered before and answers now, and after how many seconds that was as wanted.

    `took_s` is None if it was not within the time that was given; `why` says what is known about that then.
    """

    spec: FailoverSpec
    before: tuple[NodeName, ...]
    now: tuple[NodeName, ...]
    took_s: float | None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One Failover object as it stands."""

    name: str
    spec: FailoverSpec
    services: tuple[str, ...]
    owners: tuple[NodeName, ...]
    standing: Standing
    why: str


class Placements:
    """The objects that count, and what is done with Failovers."""

    def __init__(self, origin: CommandOrigin, namespace: str) -> None:
        self._origin = origin
        self._sink = origin.sink
        self._namespace = namespace
        self._store = origin.store
        self._config = resolve(self._store.snapshot(), from_config_map(self._store.last_good)).config

    def listed(self) -> tuple[Placed, ...]:
        """Return every Failover, by address."""
        found = sorted(self._store.failovers.values(), key=lambda each: (_key(each), each.metadata.name))
        return tuple(self._placed(each) for each in found)

    def _placed(self, failover: Failover) -> Placed:
        known = self._circumstances(parse_address(failover.spec.address))
        return Placed(
            name=failover.metadata.name,
            spec=failover.spec,
            services=tuple(known.services),
            owners=tuple(sorted(known.owners)),
            standing=standing(failover.spec, known),
            why=explanation(failover.spec, known),
        )

    async def move(self, address: IpAddress, to: NodeName, wait_s: float) -> Move:
        """Write the Failover of an address and wait until it is in force; `to` empty: away from who has it.

        Addresses of Services that share one move together, so an earlier move of another of them ends.
        Raises InvalidConfig for an address or node that is not there, NotReady if nobody answers for the address,
        StartupError if the object cannot be written.
        """
        before = self._checked(address, to)
        avoid = () if to else before
        if not (to or avoid):
            raise NotReady(f"nobody answers for {address} over layer 2 now; {self._answered()}")
        spec = FailoverSpec(address=str(address), to=to, avoid=avoid)
        metadata = ObjectMeta(name=object_name(address), namespace=self._namespace)
        earlier = await self._ours(address)
        started = time.monotonic()
        await self._sink.write(Failover(metadata=metadata, spec=spec))
        # Then, not before: without any, the addresses would go to the elected node in between.
        await self._remove(name for name in earlier if name != metadata.name)
        await self._origin.written()
        took_s = await self._until_reached(address, spec, started, wait_s)
        known = self._circumstances(address)
        why = explanation(spec, known) if took_s is None else ""
        return Move(spec=spec, before=before, now=tuple(sorted(known.owners)), took_s=took_s, why=why)

    async def undo(self, address: IpAddress) -> tuple[str, ...]:
        """Remove the Failovers of an address and return their names. Raises InvalidConfig if there is none."""
        names = await self._ours(address)
        if not names:
            raise InvalidConfig(f"{address} was not moved; `ferrule failover` lists what was")
        await self._remove(names)
        await self._origin.written()
        return names

    # What is known ------------------------------------------------------------------------------------------------

    def _checked(self, address: IpAddress, to: NodeName) -> tuple[NodeName, ...]:
        known = self._circumstances(address)
        if not known.services:
            raise InvalidConfig(f"no Service has the address {address}; {self._answered()}")
        if to and to not in known.nodes:
            raise InvalidConfig(f"there is no node {to}; known nodes: {listed(sorted(known.nodes))}")
        return tuple(sorted(known.owners))

    def _circumstances(self, address: IpAddress) -> Circumstances:
        services = [service for service in self._store.services.values() if _has(service, address)]
        keys = {service.metadata.key for service in services}
        speakers = self._store.speakers
        return Circumstances(
            services=tuple(sorted(map(str, keys))),
            owners=frozenset(node for key, node in self._owners() if key in keys),
            nodes=frozenset(self._config.nodes) | speakers.keys(),
            speakers=frozenset(speakers),
            draining=frozenset(node for node, state in speakers.items() if state.spec.is_leaving),
            advertised=frozenset(self._advertised(address, services)),
        )

    def _owners(self) -> list[tuple[ObjectKey, NodeName]]:
        statuses = (each.status for each in self._store.l2_statuses.values())
        return [(ObjectKey(status.service_namespace, status.service_name), status.node) for status in statuses]

    def _advertised(self, address: IpAddress, services: Sequence[Service]) -> set[NodeName]:
        return {
            node
            for pool in self._config.pools.values()
            if pool.has_or_had(address)
            for advertisement in pool.l2_advertisements
            for node in advertisement.nodes
            if any(admits(advertisement.service_selectors, service.metadata.labels) for service in services)
        }

    def _answered(self) -> str:
        keys = {key for key, _ in self._owners()}
        services = (service for key, service in self._store.services.items() if key in keys)
        found = {entry.ip for service in services for entry in service.status.load_balancer.ingress if entry.ip}
        return f"announced over layer 2: {listed(sorted(found))}"

    # Objects ------------------------------------------------------------------------------------------------------

    def _names_of(self, address: IpAddress) -> tuple[str, ...]:
        """The Failovers of the address, and of those that always have the same owner."""
        together = self._together(str(address))
        return tuple(sorted(name for name, each in self._store.failovers.items() if each.spec.address in together))

    def _together(self, address: str) -> set[str]:
        """The addresses of the Services that share one, transitively: they are elected for together."""
        sets = [{_canonical(entry.ip) for entry in _ingress(service)} for service in self._store.services.values()]
        found, more = set[str](), {address}
        while more:
            found |= more
            more = set[str]().union(*(each for each in sets if each & found)) - found
        return found

    async def _ours(self, address: IpAddress) -> tuple[str, ...]:
        """Return the names of what moves an address. Raises InvalidConfig if one of them is not in the sink."""
        names = self._names_of(address)
        ours = await self._sink.names("Failover", self._namespace)
        for name in names:
            if name not in ours:
                raise InvalidConfig(f"Failover {name} moves {address} and is kept among the manifests; edit it there")
        return names

    async def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            await self._sink.delete(ObjectRef("Failover", self._namespace, name))

    async def _until_reached(
        self, address: IpAddress, spec: FailoverSpec, started: float, wait_s: float
    ) -> float | None:
        """Follow the source until the wanted nodes answer; the seconds since `started`, None if it takes too long."""
        try:
            async with asyncio.timeout(wait_s):
                while not reached(spec, self._circumstances(address).owners):
                    self._store.apply(await anext(self._origin.events))
        except TimeoutError:
            return None
        return time.monotonic() - started


def _has(service: Service, address: IpAddress) -> bool:
    text = str(address)
    return any(_canonical(entry.ip) == text for entry in _ingress(service))


def _ingress(service: Service) -> tuple[LoadBalancerIngress, ...]:
    return service.status.load_balancer.ingress


def _canonical(text: str) -> str:
    try:
        return str(parse_address(text))
    except InvalidConfig:
        return text


def _key(failover: Failover) -> tuple[int, int]:
    return address_key(parse_address(failover.spec.address))
