from orchestrator.render.document import FrrDocument
from orchestrator.resources.secret_text import SecretText
from tests.support.frr_documents import attributes, document, frr_input, peer, policy, renderer, route

ROUTES = [route(f"198.51.100.{number}/32", policy(router=attributes("65001:1"))) for number in range(5)]


def test_equal_input_gives_equal_bytes_in_any_order() -> None:
    assert document([peer()], ROUTES).text == document([peer()], reversed(ROUTES)).text


def test_rendering_again_shares_every_block() -> None:
    render = renderer()
    first: FrrDocument = render.render(frr_input([peer()], ROUTES))
    assert render.render(frr_input([peer()], ROUTES)).changed_since(first) == ()


def test_changed_route_changes_its_block_only() -> None:
    render = renderer()
    first = render.render(frr_input([peer()], ROUTES))
    second = render.update(first, {ROUTES[0].prefix: None})
    assert second.changed_since(first) == ("network  198.51.100.0/32",)


def test_peer_that_cannot_be_written_is_left_out_alone() -> None:
    bad = peer("bad", "10.99.0.9", password=SecretText("two words"))
    made = document([peer(), bad], ROUTES)
    assert [problem.ref.name for problem in made.problems] == ["bad"]
    assert "two words" not in repr(made.problems)
    assert not any("10.99.0.9" in line.text for line in made.lines("bgpd"))
    assert any("10.99.0.254 activate" in line.text for line in made.lines("bgpd"))


def test_newline_in_a_name_cannot_become_a_command() -> None:
    made = document([peer("bad", "", interface="eth0\nno router bgp 65001")])
    assert [problem.ref.name for problem in made.problems] == ["bad"]
    assert not any("no router" in line.text for line in made.lines("bgpd"))
