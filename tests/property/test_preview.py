"""What `ferrule plan` says of a change is what the objects mean, read from the daemon's lines alone."""

from collections.abc import Mapping

from hypothesis import given, settings

from orchestrator.config.model import Peer
from orchestrator.decide.node_plan import RouteAttributes
from orchestrator.net.addresses import family_of
from orchestrator.render.commands import Impact
from orchestrator.render.difference import difference
from orchestrator.render.policies import large, standard
from orchestrator.render.preview import Foreseen, preview_of_frr
from orchestrator.render.sent_routes import sent_by_frr
from orchestrator.render.session_impact import SessionKey
from tests.support.frr_scenes import Scene
from tests.support.frr_strategies import RENDERER, walks


def meant(scene: Scene) -> Mapping[SessionKey, Mapping[str, set[str]]]:
    found = {}
    for peer in scene.peers:
        sent = {
            str(route.prefix): words(how, peer)
            for route in scene.routes
            for name, how in route.policy.per_peer
            if name == peer.name and family_of(route.prefix) in peer.families
        }
        if sent:
            found[SessionKey(peer.vrf, peer.neighbor)] = sent
    return found


def words(how: RouteAttributes, peer: Peer) -> set[str]:
    values = {
        "community": " ".join(sorted(standard(how.communities))),
        "large-community": " ".join(sorted(large(how.communities))),
        "metric": str(how.med or ""),
        "extcommunity bandwidth": str(how.weight or ""),
        "as-path prepend": " ".join(map(str, how.prepended)),
        "local-preference": "" if peer.is_external else str(how.local_pref or ""),
    }
    return {f"{name} {value}" for name, value in values.items() if value}


@settings(max_examples=50, deadline=None)
@given(walks(steps=1))
def test_lines_are_read_as_the_routes_that_they_were_rendered_from(walk: list[Scene]) -> None:
    (scene,) = walk
    sent = sent_by_frr(RENDERER.render(scene.input(None)).lines("bgpd"))
    read = {key: {prefix: set(each) for prefix, each in routes.items()} for key, routes in sent.items() if routes}
    assert read == meant(scene)


@settings(max_examples=50, deadline=None)
@given(walks(steps=2))
def test_preview_is_the_difference_of_what_is_meant(walk: list[Scene]) -> None:
    before, after = walk
    old = RENDERER.render(before.input(None))
    running, wanted = old.lines("bgpd"), RENDERER.render(after.input(old)).lines("bgpd")
    found = difference(running, wanted, running)
    preview = preview_of_frr([Foreseen("bgpd", running, found)])
    had, has = meant(before), meant(after)
    for session in preview.sessions:
        old_routes, new_routes = had.get(session.key, {}), has.get(session.key, {})
        moved = {
            prefix
            for prefix in old_routes.keys() | new_routes.keys()
            if old_routes.get(prefix) != new_routes.get(prefix)
        }
        assert {change.prefix for change in session.changes} == moved
        assert session.unchanged == len(old_routes.keys() | new_routes.keys()) - len(moved)
    assert preview.impact <= found.impact
    assert (preview.impact is Impact.SESSION) == any(
        (command.impact is Impact.SESSION and "neighbor" in command.text)
        or command.text.startswith(("no router bgp", "bgp router-id"))
        for command in found.commands
    )
