from collections.abc import Iterable
from typing import Any

import msgspec

from orchestrator.config.model import Config, Pool
from orchestrator.decide.allocator import Allocator, Converged, Gone
from orchestrator.decide.convergence import Rules
from orchestrator.decide.ledger import Ledger
from orchestrator.resources.core import Service
from orchestrator.resources.meta import ObjectKey
from tests.support.objects import ips, key, pool, pools, service

OLD, NEW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


class World:
    """An allocator, and the Services that it is told of."""

    def __init__(self, *all_pools: Pool) -> None:
        self.ledger = Ledger()
        self.allocator = Allocator(self.ledger, Rules())
        self.allocator.configure(Config(pools=pools(*all_pools)))
        self.services: dict[ObjectKey, Service] = {}

    def round(self, *changed: Service, gone: Iterable[str] = ()) -> list[str]:
        """The names in the order of the steps."""
        self.services.update({each.metadata.key: each for each in changed})
        for name in gone:
            del self.services[key(name)]
        dirty = {each.metadata.key for each in changed} | {key(name) for name in gone}
        return [_name(step) for step in self.allocator.round(self.services, dirty)]

    def held(self, name: str) -> list[str]:
        assignment = self.ledger.assignment(key(name))
        return [str(address) for address in assignment.addresses] if assignment is not None else []


def _name(step: Converged | Gone) -> str:
    return step.service.name if isinstance(step, Gone) else step.service.metadata.name


def with_uid(target: Service, uid: str) -> Service:
    return msgspec.structs.replace(target, metadata=msgspec.structs.replace(target.metadata, uid=uid))


def sharing(name: str, port: int, **fields: Any) -> Service:
    return service(name, ports=(port,), annotations={"metallb.io/allow-shared-ip": "k"}, **fields)


def test_who_has_addresses_comes_first_then_the_older() -> None:
    world = World(pool("p", "10.0.0.0/24"))
    world.round(service("z"))
    assert world.round(service("a", created=NEW), service("b", created=OLD), service("z")) == ["z", "b", "a"]


def test_address_of_a_deleted_service_goes_to_one_that_waits() -> None:
    world = World(pool("p", "10.0.0.0/32"))
    world.round(service("a"))
    world.round(service("b"))
    assert set(world.allocator.pending) == {key("b")}
    assert world.round(gone=("a",)) == ["a", "b"]
    assert world.held("b") == ["10.0.0.0"]
    assert not world.allocator.pending


def test_service_made_again_unseen_does_not_inherit() -> None:
    world = World(pool("p", "10.0.0.0/32"))
    world.round(with_uid(service("a"), "1"))
    world.services[key("a")] = with_uid(service("a", type="ClusterIP"), "2")
    steps = list(world.allocator.round(world.services, {key("a")}))
    assert isinstance(steps[0], Gone)
    assert steps[0].made_again
    assert steps[0].assignment is not None
    assert steps[0].assignment.addresses == ips("10.0.0.0")


def test_service_that_lost_to_one_later_in_the_round_is_asked_again() -> None:
    world = World(pool("p", "10.0.0.0/24"))
    world.round(service("a", load_balancer_ip="10.0.0.1"), service("b", load_balancer_ip="10.0.0.2"))
    world.round(service("a", load_balancer_ip="10.0.0.2"), service("b", load_balancer_ip="10.0.0.1"))
    assert (world.held("a"), world.held("b")) == (["10.0.0.2"], ["10.0.0.1"])


def test_change_of_sharing_key_lets_in_who_waits_for_it() -> None:
    world = World(pool("p", "10.0.0.0/32"))
    world.round(service("a"))
    world.round(sharing("b", 443))
    assert set(world.allocator.pending) == {key("b")}
    assert world.round(sharing("a", 80)) == ["a", "b"]
    assert world.held("b") == ["10.0.0.0"]


def test_address_that_came_to_be_shared_lets_in_who_waits() -> None:
    world = World(pool("p", "10.0.0.0/32"), pool("q", "10.1.0.0/32", auto_assign=False))
    world.round(service("a"))
    world.round(sharing("b", 443, load_balancer_ip="10.1.0.0"), sharing("c", 80))
    assert world.held("c") == []
    world.round(service("a"), gone=("b",))
    world.round(sharing("c", 80, load_balancer_ip="10.0.0.0"), service("d", load_balancer_ip="10.0.0.0"))
    world.round(sharing("a", 8080))
    assert world.held("a") == world.held("c")
    assert set(world.allocator.pending) == {key("d")}


def test_second_family_is_added_when_an_address_becomes_free() -> None:
    world = World(pool("p", "10.0.0.0/24", "2001:db8::/128"))
    dual: dict[str, Any] = {"cluster_ips": ("10.96.0.1", "fd00::1"), "ip_family_policy": "PreferDualStack"}
    world.round(service("a", cluster_ips=("fd00::1",)))
    world.round(service("b", **dual))
    assert world.held("b") == ["10.0.0.0"]
    world.round(gone=("a",))
    assert world.held("b") == ["10.0.0.0", "2001:db8::"]


def test_expired_orphan_is_given_another_address() -> None:
    world = World(pool("p", "10.0.0.0/24"))
    world.round(service("a"))
    world.allocator.configure(Config(pools=pools(pool("q", "10.1.0.0/24"))))
    world.round(service("a", held=["10.0.0.0"]))
    assert world.held("a") == ["10.0.0.0"]
    world.allocator.expire([key("a")])
    world.round(service("a", held=["10.0.0.0"]))
    assert world.held("a") == ["10.1.0.0"]


def test_adopted_addresses_are_held_before_anything_is_given() -> None:
    world = World(pool("p", "10.0.0.0/24"))
    old = service("old", held=["10.0.0.0"])
    assert world.allocator.adopt([old]) == (key("old"),)
    world.round(service("new"))
    assert world.held("new") == ["10.0.0.1"]
