"""What a change would do to one node: two computations compared, or one with the daemons that run. Gives no command."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass

import msgspec

from orchestrator.apply.files import read_file
from orchestrator.apply.frr_daemon import FrrDaemon
from orchestrator.config.model import NodeName
from orchestrator.decide.eligibility import NodeView
from orchestrator.fsm import exabgp_api
from orchestrator.net.bgp import BgpEngine
from orchestrator.render.canonical import Line, parse
from orchestrator.render.difference import difference
from orchestrator.render.document import DAEMONS, Daemon, FrrDocument
from orchestrator.render.exabgp import ExabgpDocument, Routes
from orchestrator.render.exabgp_changes import RouteChange, route_change
from orchestrator.render.policies import sequences_in
from orchestrator.render.preview import Foreseen, Preview, preview_of_exabgp, preview_of_frr
from orchestrator.render.router_id import router_id_in
from orchestrator.render.views import legs_in
from orchestrator.resources.core import Service
from orchestrator.resources.meta import ObjectKey, ObjectRef
from orchestrator.runtime.offline import NOTHING, Computed, NodeOutcome, Remembered, outcome_on
from orchestrator.runtime.store import ObjectStore
from orchestrator.settings import RunFolder
from orchestrator.sources.interface import Removed, Upserted
from orchestrator.sources.manifests.reader import ManifestSet

ANSWER_S = 2.0
"""How long a daemon that runs may take to answer."""
NO_LINES: frozenset[Line] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePreview:
    """`before` and `after` are what the node would announce; None where it is not known, or there is no such node."""

    node: NodeName
    preview: Preview
    before: NodeOutcome | None
    after: NodeOutcome | None


def changed_store(store: ObjectStore, manifests: ManifestSet, without: tuple[ObjectRef, ...]) -> ObjectStore:
    """Return a copy in which the objects of the manifests replace those of their names, and some are gone."""
    changed = deepcopy(store)
    changed.apply([*manifests.objects, *(Removed(ref) for ref in without)])
    return with_addresses_of(store.services, changed)


def with_addresses_of(services: Mapping[ObjectKey, Service], store: ObjectStore) -> ObjectStore:
    """Give Services that hold no address in `store` those that they hold in `services`: nothing moves for nothing."""
    for key, service in store.services.items():
        known = services.get(key)
        if known is not None and not service.status.load_balancer.ingress:
            store.apply([Upserted(msgspec.structs.replace(service, status=known.status))])
    return store


def foresee(before: Computed, after: Computed, view: NodeView, engine: BgpEngine) -> NodePreview:
    """Return what going from one computation to the other does to the node `view.node`."""
    old = _outcome(before, view, engine, NOTHING)
    new = _outcome(after, view, engine, NOTHING if old is None else Remembered.of(old.document))
    return NodePreview(node=view.node, preview=_preview(old, new), before=old, after=new)


async def foresee_running(run: RunFolder, after: Computed, view: NodeView) -> NodePreview:
    """Return what the computation would do to FRR's daemons of a run folder. Raises NotReady or DaemonError."""
    texts = {name: read_file(run.daemon_conf(name)) for name in DAEMONS}
    earlier = {name: parse(text) for name, text in texts.items()}
    remembered = Remembered(
        router_id=router_id_in(earlier["bgpd"]),
        sequences=sequences_in(earlier["bgpd"]),
        frr=texts,
        legs=legs_in(earlier["bfdd"]),
    )
    new = _outcome(after, view, BgpEngine.FRR, remembered)
    document = new.document if new is not None and isinstance(new.document, FrrDocument) else None
    parts = []
    for name in DAEMONS:
        wanted = document.lines(name) if document else NO_LINES
        if wanted or earlier[name]:
            daemon = FrrDaemon(name, run.vty(name), ours=earlier[name], patience_s=ANSWER_S)
            try:
                parts.append(_part(name, await daemon.read(), wanted, earlier[name]))
            finally:
                daemon.close()
    return NodePreview(node=view.node, preview=preview_of_frr(parts), before=None, after=new)


def _outcome(computed: Computed, view: NodeView, engine: BgpEngine, remembered: Remembered) -> NodeOutcome | None:
    facts = computed.config.nodes.get(view.node)
    return None if facts is None else outcome_on(computed, facts, view, engine, remembered)


def _part(name: Daemon, running: frozenset[Line], wanted: frozenset[Line], ours: frozenset[Line]) -> Foreseen:
    return Foreseen(name, running, difference(running, wanted, ours))


def _preview(old: NodeOutcome | None, new: NodeOutcome | None) -> Preview:
    documents = [None if each is None else each.document for each in (old, new)]
    match documents:
        case [ExabgpDocument() | None as before, ExabgpDocument() | None as after] if before or after:
            return _of_exabgp(before, after)
        case _:
            lines = [
                {name: each.lines(name) if isinstance(each, FrrDocument) else NO_LINES for name in DAEMONS}
                for each in documents
            ]
            parts = (_part(name, lines[0][name], lines[1][name], lines[0][name]) for name in DAEMONS)
            return preview_of_frr(parts)


def _of_exabgp(before: ExabgpDocument | None, after: ExabgpDocument | None) -> Preview:
    known = after or before
    assert known is not None
    empty = known.only(())
    old, new = before or empty, after or empty
    found = preview_of_exabgp(old, new)
    return Preview(sessions=found.sessions, commands=tuple(_exabgp_commands(old, new)))


def _exabgp_commands(before: ExabgpDocument, after: ExabgpDocument) -> Iterator[str]:
    """As the announcer gives them: sessions by a reload of the file, then routes."""
    if before.sections != after.sections:
        yield f"exabgp: {exabgp_api.RELOAD}"
    changes = {to: _route_change(before.routes.get(to, {}), routes) for to, routes in sorted(after.routes.items())}
    for to, change in changes.items():
        yield from (f"exabgp: {text}" for text in exabgp_api.withdraw(to, change.withdraw_first))
    for to, change in changes.items():
        yield from (f"exabgp: {text}" for text in exabgp_api.announce(to, change.announce))
    for to, change in changes.items():
        yield from (f"exabgp: {text}" for text in exabgp_api.withdraw(to, change.withdraw_last, turn=1))


def _route_change(before: Routes, after: Routes) -> RouteChange:
    """The two documents were rendered apart: routes that are equal are made the same object."""
    shared = {prefix: before[prefix] if before.get(prefix) == route else route for prefix, route in after.items()}
    return route_change(before, shared)
