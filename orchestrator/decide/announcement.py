"""`plan_group`: what one node announces of one address group, and why not the rest (contract 4.1, 4.2, 5.2, 5.3).

The gate decides for each Service whether it can be announced at all; then BGP and layer 2 are decided independently,
each in the contract's order of reasons. Every Service ends up, per protocol, as Announced or as Decline, or as both
where only one of its families can be announced.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.config.model import Config, Pool
from orchestrator.decide.bgp import BgpPlan, plan_bgp
from orchestrator.decide.candidates import Candidate
from orchestrator.decide.convergence import age
from orchestrator.decide.eligibility import NodeView, has_our_class, serving
from orchestrator.decide.layer2 import Lineup, line_up, plan_layer2
from orchestrator.decide.node_plan import Decline, DeclineReason, GroupPlan, Protocol
from orchestrator.decide.reach import Reach
from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import IpAddress, parse_address
from orchestrator.resources.core import EndpointSlice, Service
from orchestrator.resources.meta import ObjectKey

Refusal = tuple[DeclineReason, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Groundwork:
    """The part of a group's plan that nodes, links and people leave as it is: who passed the gate, the older first; BGP."""

    candidates: tuple[Candidate, ...]
    declined: tuple[Decline, ...]
    bgp: BgpPlan


def plan_group(
    config: Config,
    services: Sequence[Service],
    endpoints: Mapping[ObjectKey, Sequence[EndpointSlice]],
    view: NodeView,
    reach: Reach | None = None,
) -> GroupPlan:
    """Return what `view.node` announces of the Services of one group; equal input in any order gives an equal plan.

    `endpoints` are the slices of each Service, by the Service's key. `reach` of the same configuration and view may be
    used for many groups, and remembers what they have in common.
    """
    groundwork = prepare(config, services, endpoints, view)
    return plan_prepared(groundwork, line_up(groundwork.candidates, view, reach or Reach(config, view)), view)


def prepare(
    config: Config,
    services: Sequence[Service],
    endpoints: Mapping[ObjectKey, Sequence[EndpointSlice]],
    view: NodeView,
) -> Groundwork:
    """Do the first part of `plan_group`: good until configuration, Services or endpoints change, whoever lives."""
    candidates, declined = _candidates(config, services, endpoints, view)
    return Groundwork(candidates=tuple(candidates), declined=tuple(declined), bgp=plan_bgp(config, candidates, view))


def plan_prepared(groundwork: Groundwork, lineup: Lineup, view: NodeView) -> GroupPlan:
    """Do the rest of `plan_group`, with the lineup of the groundwork's candidates."""
    candidates, bgp = groundwork.candidates, groundwork.bgp
    layer2 = plan_layer2(lineup, view)
    return GroupPlan(
        routes=bgp.routes,
        layer2=layer2.layer2,
        elsewhere=layer2.elsewhere,
        withheld=layer2.withheld,
        announced=tuple(sorted((*bgp.announced, *layer2.announced), key=lambda one: (one.service, one.protocol.value))),
        declined=tuple(
            sorted(
                (*groundwork.declined, *bgp.declined, *layer2.declined),
                key=lambda one: (one.service, one.protocol.value, one.reason.value, one.detail),
            )
        ),
        seniority=age(candidates[0].service) if candidates else None,
    )


def _candidates(
    config: Config,
    services: Sequence[Service],
    endpoints: Mapping[ObjectKey, Sequence[EndpointSlice]],
    view: NodeView,
) -> tuple[list[Candidate], list[Decline]]:
    """The Services that pass the gate, the older first, and what is to be said of the others."""
    candidates: list[Candidate] = []
    declined: list[Decline] = []
    for service in sorted(services, key=age):
        key = service.metadata.key
        passed = _gate(config, service, endpoints.get(key, ()), view)
        if isinstance(passed, Candidate):
            candidates.append(passed)
        else:
            declined += [
                Decline(service=key, protocol=protocol, reason=passed[0], detail=passed[1]) for protocol in Protocol
            ]
    return candidates, declined


def _pool_of(addresses: Sequence[IpAddress], config: Config) -> Pool | None:
    """The pool that has the addresses, else the one that had them."""
    pools = config.pools.values()
    has = (pool for pool in pools if all(address in pool for address in addresses))
    had = (pool for pool in pools if all(pool.has_or_had(address) for address in addresses))
    return next(has, None) or next(had, None)


def _gate(config: Config, service: Service, slices: Sequence[EndpointSlice], view: NodeView) -> Candidate | Refusal:
    """What a Service needs before any protocol is asked (contract 4.1)."""
    if not has_our_class(service, view.classes):
        return DeclineReason.CLASS_NOT_OURS, f'loadBalancerClass is "{service.spec.load_balancer_class or ""}"'
    if service.spec.type != "LoadBalancer":
        return DeclineReason.NOT_LOAD_BALANCER, f"spec.type is {service.spec.type}"
    ingress = service.status.load_balancer.ingress
    if not ingress:
        return DeclineReason.NO_IP_ALLOCATED, "no address in status yet; the controller's events say why"
    addresses: list[IpAddress] = []
    for entry in ingress:
        try:
            addresses.append(parse_address(entry.ip))
        except InvalidConfig as error:
            return DeclineReason.INVALID_IP, f"status.loadBalancer.ingress: {error}"
    pool = _pool_of(addresses, config)
    if pool is None:
        text = ", ".join(str(address) for address in addresses)
        return DeclineReason.IP_NOT_ALLOWED, f"no IPAddressPool contains {text}; put it back into a pool"
    return Candidate(
        service=service, addresses=tuple(addresses), pool=pool, serving=serving(slices), slices=tuple(slices)
    )
