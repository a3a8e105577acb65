from dataclasses import replace
from typing import Any

from orchestrator.config.model import Peer
from orchestrator.render.canonical import Line
from orchestrator.render.document import FrrDocument
from orchestrator.render.frr import FrrInput
from orchestrator.resources.secret_text import SecretText
from tests.support.frr_documents import LEG, attributes, frr_input, peer, policy, renderer, route

LOCKED = peer("locked", "10.99.0.200", password=SecretText("geheim"), dual_stack_address_family=True)
OTHER = peer("other", "10.99.0.201")
ROUTES = [route("198.51.100.7/32", policy(locked=attributes("65001:1"), other=attributes("65001:1")))]


def before(**more: Any) -> FrrDocument:
    return renderer().render(frr_input([LOCKED, OTHER], ROUTES, **more))


def without_password(given: FrrInput, *, held: Peer, spec_known: bool) -> FrrInput:
    locked = {held.name: replace(held, password=None)} if spec_known else {}
    config = replace(given.config, held_peers=frozenset({held.name}), locked_peers=locked)
    return replace(given, config=config)


def test_peer_without_its_secret_keeps_every_line() -> None:
    old = before()
    now = without_password(frr_input([OTHER], ROUTES), held=LOCKED, spec_known=True)
    assert renderer().render(replace(now, previous=old.daemon_texts)).lines("bgpd") == old.lines("bgpd")


def test_broken_peer_keeps_its_session() -> None:
    old = before()
    now = without_password(frr_input([OTHER], ROUTES), held=LOCKED, spec_known=False)
    assert renderer().render(replace(now, previous=old.daemon_texts)).lines("bgpd") == old.lines("bgpd")


def test_peer_without_its_secret_that_never_ran_is_not_rendered() -> None:
    now = without_password(frr_input([OTHER], ROUTES), held=LOCKED, spec_known=True)
    document = renderer().render(now)
    assert not any("10.99.0.200" in line.text for line in document.lines("bgpd"))


def test_last_held_peer_keeps_its_instance_and_the_daemon() -> None:
    old = before()
    now = without_password(frr_input([]), held=LOCKED, spec_known=False)
    document = renderer().render(replace(now, previous=old.daemon_texts))
    assert document.daemons == ("bgpd",)
    assert Line((), "router bgp 65001") in document.lines("bgpd")
    assert Line(("router bgp 65001",), "neighbor 10.99.0.200 password geheim") in document.lines("bgpd")


def test_held_peer_keeps_its_bfd_session() -> None:
    fast = replace(LOCKED, bfd_profile="fast")
    old = renderer().render(frr_input([fast], legs=(LEG,)))
    now = without_password(frr_input([]), held=fast, spec_known=True)
    document = renderer().render(replace(now, previous=old.daemon_texts))
    assert document.lines("bfdd") == old.lines("bfdd")
    assert document.daemons == ("zebra", "bfdd", "bgpd")


def test_changed_address_keeps_the_old_session_only() -> None:
    old = before()
    moved = replace(LOCKED, address=OTHER.address)
    now = without_password(frr_input([], ROUTES), held=moved, spec_known=True)
    document = renderer().render(replace(now, previous=old.daemon_texts))
    assert not any("10.99.0.201" in line.text for line in document.lines("bgpd"))
    assert any("10.99.0.200 activate" in line.text for line in document.lines("bgpd"))
