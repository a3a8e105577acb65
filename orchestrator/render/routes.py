"""Blocks of what changes: prefixes, and the policies that they need, kept up to date change by change."""

from collections import Counter
from collections.abc import Iterator, Mapping

from orchestrator.decide.node_plan import Route
from orchestrator.net.addresses import Prefix, family_of, prefix_key
from orchestrator.net.bgp import Asn
from orchestrator.render import policies, views
from orchestrator.render.blocks import BlockMaker, KeyedBlock, Place, all_or_problem
from orchestrator.render.document import Block, BlockKey, Section
from orchestrator.render.policies import Catalog, Numbered, Policy, Reach
from orchestrator.render.views import AttributesView
from orchestrator.resources.meta import Problem


class RouteEditor:
    """Changes the routes of a copy of a document's blocks; `blocks`, `catalog` and `problems` are the outcome."""

    def __init__(self, maker: BlockMaker, reach: Reach, blocks: Mapping[BlockKey, Block], catalog: Catalog) -> None:
        self._maker = maker
        self._reach = reach
        self._vrfs = sorted({vrf for vrf, _ in reach.instances.values()})
        self._users = Counter(catalog.users)
        self._catalog = catalog
        self._numbered = dict(catalog.numbered)
        self.blocks = dict(blocks)
        self.touched: set[BlockKey] = set()
        self.problems: list[Problem] = []

    @property
    def catalog(self) -> Catalog:
        return Catalog(numbered=self._numbered, users=self._users, kept=self._catalog.kept)

    def replace(self, prefix: Prefix, route: Route | None) -> None:
        """Announce the prefix so, or no longer."""
        for vrf in self._vrfs:
            key = f"network {vrf} {prefix}"
            gone = self.blocks.pop(key, None)
            if gone is not None:
                self.touched.add(key)
                self._users[gone.policy] -= 1
        if route is not None:
            found = all_or_problem(lambda: self._announce(route), route.origins, self.problems)
            for key, block in found:
                self.blocks[key] = block
                self.touched.add(key)
                self._users[block.policy] += key.startswith("network ")

    def _announce(self, route: Route) -> Iterator[KeyedBlock]:
        policy = policies.policy_of(route.policy, self._reach.maps)
        if not policy.per_map:
            return
        numbered = self._numbered.get(policy)
        if numbered is None:
            numbered = self._catalog.number(policy, self._numbered.values())
            yield from self._policy(numbered)
            self._numbered[policy] = numbered
        for vrf, asn in {self._reach.instances[peer] for peer, _ in route.policy.per_peer if peer in self._reach.maps}:
            yield f"network {vrf} {route.prefix}", self._network(route, vrf, asn, numbered)

    def _network(self, route: Route, vrf: str, asn: Asn, numbered: Numbered) -> Block:
        family = family_of(route.prefix)
        view = views.NetworkView(prefix=route.prefix, route_map=numbered.name)
        order = (Section.INSTANCE, vrf, 2, family.value, 1, *prefix_key(route.prefix))
        place = Place(context=views.family_context(asn, vrf, family), order=order)
        return self._maker.make("network", view, place, origins=route.origins, policy=numbered.name)

    def _policy(self, numbered: Numbered) -> Iterator[KeyedBlock]:
        policy = numbered.policy
        view = views.PolicyView(name=numbered.name, tag=numbered.tag, attributes=AttributesView.of(policy.common))
        place = Place(context=view.context, order=(Section.POLICY, numbered.name), opens=True)
        yield f"policy {numbered.name}", self._maker.make("policy", view, place, policy=numbered.name)
        for out_map, attributes in policy.per_map:
            clause = views.ClauseView(
                out_map=out_map,
                sequence=numbered.sequence,
                tag=numbered.tag,
                attributes=AttributesView.of(policy.rest(attributes)),
            )
            place = Place(context=clause.context, order=(Section.CLAUSE, out_map, numbered.sequence), opens=True)
            yield f"clause {numbered.name} {out_map}", self._maker.make("clause", clause, place, policy=numbered.name)

    def drop_unused(self) -> None:
        """Take out the policies that no prefix needs any more."""
        for policy, numbered in tuple(self._numbered.items()):
            if self._users[numbered.name] == 0:
                self._drop(policy, numbered)

    def _drop(self, policy: Policy, numbered: Numbered) -> None:
        del self._numbered[policy], self._users[numbered.name]
        keys = [f"policy {numbered.name}", *(f"clause {numbered.name} {out_map}" for out_map, _ in policy.per_map)]
        self.touched.update(keys)
        for key in keys:
            del self.blocks[key]
