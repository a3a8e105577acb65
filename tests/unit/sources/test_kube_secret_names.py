from orchestrator.resources.metallb import BGPPeer, SecretReference
from orchestrator.sources.kube.secret_names import SecretNames
from tests.support.objects import peer_object


def peer(name: str, secret: str = "") -> BGPPeer:
    return peer_object(name, password_secret=SecretReference(name=secret) if secret else None)


def test_key_of_the_heartbeats_is_always_read() -> None:
    assert SecretNames().names() == {"memberlist"}


def test_secret_of_a_peer_is_read_while_the_peer_is_there() -> None:
    names = SecretNames()
    names.peer(peer("a", "one"))
    names.peer(peer("b", "one"))
    names.peer(peer("c"))
    assert names.names() == {"memberlist", "one"}
    names.peer_gone("a")
    assert "one" in names.names()
    names.peer_gone("b")
    names.peer_gone("c")
    assert names.names() == {"memberlist"}


def test_earlier_secret_stays_for_the_last_good_spec() -> None:
    names = SecretNames()
    names.peer(peer("a", "one"))
    names.peer(peer("a", "two"))
    assert names.names() == {"memberlist", "one", "two"}
