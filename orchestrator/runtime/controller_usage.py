"""How much is used beside the pools: holders of reserved addresses, counts under quotas, addresses that rest.

Everything is written only when it changed; of a status only what is counted, so that its conditions stay.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping

import msgspec

from orchestrator.config.model import AddressQuota, QuotaScope
from orchestrator.decide.address_quotas import QuotaUsage
from orchestrator.decide.ledger import Ledger
from orchestrator.net.addresses import IpAddress, IpFamily
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.resources.extensions import (
    HOLDERS_LIMIT,
    NAMESPACES_LIMIT,
    AddressHolder,
    AddressQuotaStatus,
    AddressReservationStatus,
    NamespaceUse,
)
from orchestrator.resources.kinds import KubeObject, ref_of
from orchestrator.resources.meta import ObjectRef
from orchestrator.resources.snapshot import ClusterSnapshot
from orchestrator.sources.interface import Sink

Status = AddressReservationStatus | AddressQuotaStatus


class UsageReport:
    """Remembers what it told, so that only changes are told."""

    def __init__(self, sink: Sink, metrics: Metrics) -> None:
        self._sink = sink
        self._metrics = metrics
        self._told: dict[ObjectRef, tuple[str, Status]] = {}
        """With the uid of the object: one that is made again has no status."""

    async def tell(self, ledger: Ledger, snapshot: ClusterSnapshot) -> None:
        """Write what changed."""
        present = {ref_of(obj) for obj in snapshot.reservations.values()} | {
            ref_of(obj) for obj in snapshot.quotas.values()
        }
        self._told = {ref: told for ref, told in self._told.items() if ref in present}
        known: Mapping[str, KubeObject] = snapshot.reservations
        for name, holders in holders_of(ledger).items():
            await self._write(known.get(name), AddressReservationStatus(holders=holders))
        counts = {name: (quota, ledger.quotas.usage(name)) for name, quota in ledger.quotas.quotas.items()}
        known = snapshot.quotas
        for name, (_, usage) in counts.items():
            await self._write(known.get(name), quota_status(usage))
        self._expose_quotas(counts)
        self._expose_resting(ledger)

    async def _write(self, obj: KubeObject | None, status: Status) -> None:
        """An object may stand in the last good configuration and be gone, or not usable, now."""
        if obj is None or self._told.get(ref_of(obj)) == (obj.metadata.uid, status):
            return
        await self._sink.write(msgspec.structs.replace(obj, status=status))
        self._told[ref_of(obj)] = (obj.metadata.uid, status)

    def _expose_quotas(self, counts: Mapping[str, tuple[AddressQuota, QuotaUsage]]) -> None:
        used: dict[tuple[str, ...], float] = {}
        limits: dict[tuple[str, ...], float] = {}
        for name, (quota, usage) in counts.items():
            scopes = {"": usage.total} if quota.scope is QuotaScope.TOTAL else usage.namespaces
            for family, limit in quota.limits.items():
                limits[name, family.value] = limit
                used |= {(name, scope, family.value): sizes[family] for scope, sizes in scopes.items()}
        self._metrics.replace(Name.QUOTA_USED, used)
        self._metrics.replace(Name.QUOTA_LIMIT, limits)

    def _expose_resting(self, ledger: Ledger) -> None:
        addresses = {release.address for release in ledger.releases}
        pools = Counter(pool.name for pool in (ledger.pool_of((each,)) for each in addresses) if pool is not None)
        self._metrics.replace(Name.RESTING, {(pool,): float(pools[pool]) for pool in ledger.pools})


def holders_of(ledger: Ledger) -> Mapping[str, tuple[AddressHolder, ...]]:
    """Return who has addresses of each reservation, by address, as many as a status may name."""
    found: dict[str, list[tuple[IpAddress, str]]] = defaultdict(list)
    reserved = ledger.reserved
    for assignment in ledger.assignments.values() if reserved.reservations else ():
        for address in assignment.addresses:
            reservation = reserved.covering(address)
            if reservation is not None:
                found[reservation.name].append((address, str(assignment.service)))
    return {name: _shown(found[name]) for name in reserved.reservations}


def _shown(holders: list[tuple[IpAddress, str]]) -> tuple[AddressHolder, ...]:
    holders.sort(key=lambda each: (each[0].version, int(each[0]), each[1]))
    return tuple(AddressHolder(address=str(address), service=service) for address, service in holders[:HOLDERS_LIMIT])


def quota_status(usage: QuotaUsage) -> AddressQuotaStatus:
    """Return the status of a quota; of its namespaces the fullest."""
    namespaces = [
        NamespaceUse(namespace=name, ipv4=sizes[IpFamily.IPV4], ipv6=sizes[IpFamily.IPV6])
        for name, sizes in usage.namespaces.items()
    ]
    namespaces.sort(key=lambda each: (-each.ipv4 - each.ipv6, each.namespace))
    return AddressQuotaStatus(
        used_ipv4=usage.total[IpFamily.IPV4],
        used_ipv6=usage.total[IpFamily.IPV6],
        namespaces=tuple(namespaces[:NAMESPACES_LIMIT]),
    )
