from jinja2 import FileSystemLoader

from orchestrator.render.commands import Impact
from orchestrator.render.difference import difference
from orchestrator.render.environment import build_environment
from orchestrator.render.exabgp import ExabgpDocument, ExabgpInput, ExabgpRenderer
from orchestrator.render.preview import Change, Foreseen, Preview, preview_of_exabgp, preview_of_frr
from orchestrator.render.session_impact import Fate
from orchestrator.resources.secret_text import SecretText
from orchestrator.settings import template_folder
from tests.support.frr_documents import LEG, attributes, document, frr_input, peer, policy, route

PREFIX, OTHER = "198.51.100.7/32", "198.51.100.8/32"
ONE = [route(PREFIX, policy(router=attributes("65001:1")))]
TWO = [route(PREFIX, policy(router=attributes("65001:2"))), route(OTHER, policy(router=attributes()))]


def of_frr(before: list[object], after: list[object]) -> Preview:
    old, new = (document([peer()], routes).lines("bgpd") for routes in (before, after))  # type: ignore[arg-type]  # routes
    return preview_of_frr([Foreseen("bgpd", old, difference(old, new, old))])


def of_exabgp(**fields: object) -> ExabgpDocument:
    given = frr_input([peer(**fields)], TWO if fields else ONE)  # type: ignore[arg-type]  # options of a peer
    renderer = ExabgpRenderer(build_environment(FileSystemLoader(template_folder())), ("/usr/bin/env",))
    return renderer.render(
        ExabgpInput(node=given.node, config=given.config, plan=given.plan, router_id=given.router_id, legs=(LEG,))
    )


def test_routes_are_told_with_their_attributes_before_and_after() -> None:
    (session,) = of_frr([*ONE], [*TWO]).sessions
    assert session.changes == (
        Change(PREFIX, ("community 65001:1",), ("community 65001:2",)),  # type: ignore[arg-type]  # a literal
        Change(OTHER, None, ()),  # type: ignore[arg-type]  # a literal
    )
    assert (session.fate, session.impact, session.unchanged) == (None, Impact.ROUTE, 0)


def test_nothing_is_told_of_what_stays() -> None:
    preview = of_frr([*ONE], [*ONE])
    assert (preview.impact, preview.commands, preview.interrupts) == (Impact.NONE, (), False)
    assert [each.unchanged for each in preview.sessions] == [1]


def test_commands_hide_passwords() -> None:
    old, new = (document([peer(password=SecretText(each))]).lines("bgpd") for each in ("geheim", "neu"))
    preview = preview_of_frr([Foreseen("bgpd", old, difference(old, new, old))])
    assert "bgpd: router bgp 65001 / neighbor 10.99.0.254 password ***" in preview.commands
    assert preview.interrupts


def test_exabgp_says_the_same_and_hides_passwords() -> None:
    preview = preview_of_exabgp(of_exabgp(), of_exabgp(password=SecretText("geheim")))
    (session,) = preview.sessions
    assert (session.fate, preview.interrupts) == (Fate.RESET, True)
    assert any("md5" in cause for cause in session.causes)
    assert "geheim" not in repr(preview)
    assert {change.prefix for change in session.changes} == {PREFIX, OTHER}
    assert preview_of_exabgp(of_exabgp(), of_exabgp()).impact is Impact.NONE
