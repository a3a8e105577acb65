"""AddressQuota -> AddressQuota of the model, read each by itself: quotas conflict with nothing, each of them holds."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from orchestrator.config.claims import Claims, Knowledge, Subject, gather
from orchestrator.config.findings import Findings, check_list, warn_unknown
from orchestrator.config.model import AddressQuota, QuotaScope
from orchestrator.config.namespaces import check_namespaces, selected
from orchestrator.net.addresses import IpFamily
from orchestrator.resources.core import Namespace
from orchestrator.resources.extensions import AddressQuotaSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The other objects that quotas refer to; names are of all pools that exist, usable or not."""

    namespaces: Mapping[str, Namespace]
    pool_names: Collection[str]


def claims_of(knowledge: Knowledge, around: Surroundings) -> Claims[AddressQuota]:
    """Gather the quotas."""
    return gather(
        "AddressQuota",
        AddressQuotaSpec,
        knowledge.snapshot.quotas,
        knowledge,
        lambda subject, findings: _read(subject, findings, around),
    )


def _read(subject: Subject[AddressQuotaSpec], findings: Findings, around: Surroundings) -> AddressQuota | None:
    spec = subject.spec
    check_namespaces(spec, "spec", findings)
    check_list(spec.pools, "spec.pools", "pools", findings)
    warn_unknown(spec.pools, around.pool_names, "spec.pools", "IPAddressPool", findings)
    if not findings.usable:
        return None
    limits = {IpFamily.IPV4: spec.ipv4, IpFamily.IPV6: spec.ipv6}
    return AddressQuota(
        name=subject.ref.name,
        origin=subject.ref,
        limits={family: limit for family, limit in limits.items() if limit is not None},
        namespaces=selected(spec, around.namespaces),
        pools=frozenset(spec.pools) if spec.pools else None,
        scope=QuotaScope(spec.scope),
    )
