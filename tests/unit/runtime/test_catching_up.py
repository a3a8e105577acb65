from orchestrator.resources.core import Service
from orchestrator.resources.meta import ObjectKey, ObjectMeta, ObjectRef
from orchestrator.runtime.catching_up import CatchingUp

WEB = ObjectKey("default", "web")


def service(version: str) -> dict[ObjectKey, Service]:
    return {WEB: Service(metadata=ObjectMeta(name=WEB.name, namespace=WEB.namespace, resource_version=version))}


def test_older_version_is_awaited_until_it_is_as_new() -> None:
    catching_up = CatchingUp({WEB: "100"})
    assert not catching_up.done(service("99"), {})
    assert catching_up.done(service("100"), {})


def test_newer_version_will_do() -> None:
    assert CatchingUp({WEB: "100"}).done(service("1000"), {})


def test_unknown_service_is_awaited() -> None:
    catching_up = CatchingUp({WEB: "100"})
    assert not catching_up.done({}, {})
    assert catching_up.done(service("100"), {})


def test_service_that_cannot_be_read_is_not_awaited() -> None:
    assert CatchingUp({WEB: "100"}).done(service("99"), {ObjectRef("Service", *WEB): ()})


def test_nothing_served_is_nothing_awaited() -> None:
    assert CatchingUp({}).done({}, {})
