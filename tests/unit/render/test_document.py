from orchestrator.render.canonical import ORIGIN, Line, parse
from orchestrator.render.document import FrrDocument
from orchestrator.resources.secret_text import SecretText
from tests.support.frr_documents import LEG, attributes, frr_input, peer, policy, ref, renderer, route

PEERS = [peer("left", "10.99.0.201", password=SecretText("geheim"), bfd_profile="fast"), peer("right", "10.99.0.202")]
BOTH = policy(left=attributes("65001:1"), right=attributes("65001:1"))


def document(*prefixes: str) -> FrrDocument:
    return renderer().render(frr_input(PEERS, [route(prefix, BOTH) for prefix in prefixes], legs=(LEG,)))


def test_text_holds_exactly_the_lines_of_its_daemons() -> None:
    made = document("198.51.100.7/32", "2001:db8::7/128")
    assert parse(made.daemon_text("bgpd")) == made.lines("bgpd")
    assert parse(made.daemon_text("bfdd")) == made.lines("bfdd")
    assert parse(made.text) == made.lines("bgpd") | made.lines("bfdd")
    assert set(made.daemon_texts) == set(made.daemons)


def test_text_names_the_objects_that_lines_are_from() -> None:
    text = document("198.51.100.7/32").text
    assert f" {ORIGIN}BGPPeer metallb-system/left\n neighbor 10.99.0.201 remote-as" in text
    assert f"  {ORIGIN}BGPAdvertisement metallb-system/advertisement\n  network 198.51.100.7/32" in text


def test_passwords_are_masked_on_request() -> None:
    made = document()
    assert "password geheim" in made.text
    assert "geheim" not in made.text_without_passwords
    assert "geheim" not in repr(made.problems)


def test_documents_without_a_common_step_are_compared_block_by_block() -> None:
    render = renderer()
    one = render.render(frr_input(PEERS, [route("198.51.100.7/32", BOTH), route("198.51.100.8/32", BOTH)]))
    other = render.render(frr_input(PEERS, [route("198.51.100.8/32", BOTH), route("198.51.100.9/32", BOTH)]))
    assert set(other.changed_since(one)) == {"network  198.51.100.7/32", "network  198.51.100.9/32"}


def test_refused_line_blames_its_object_and_what_else_is_from_it() -> None:
    made = document("198.51.100.7/32")
    keys = made.holding([Line(("router bgp 65001",), "neighbor 10.99.0.201 password geheim")])
    assert {key for key in keys if "left" in key} == keys
    assert not any("10.99.0.201" in line.text for line in made.without(keys).lines("bgpd"))


def test_refused_policy_blames_the_prefixes_that_need_it() -> None:
    made = document("198.51.100.7/32")
    (line,) = (line for line in made.lines("bgpd") if line.text.startswith("set community"))
    left = made.without(made.holding([line]))
    assert not any(line.text.startswith("network ") for line in left.lines("bgpd"))
    assert any(line.text.endswith("activate") for line in left.lines("bgpd"))


def test_leaving_out_nothing_is_the_same_document() -> None:
    made = document()
    assert made.without(()) is made


def test_lines_of_blocks_are_those_of_one_daemon() -> None:
    made = document()
    assert made.lines_of_blocks(["bfd peer left", "gone"], "bgpd") == ()
    assert len(made.lines_of_blocks(["bfd peer left", "gone"], "bfdd")) == 2
    assert made.blocks["neighbor left"].origins == (ref("BGPPeer", "left"),)
