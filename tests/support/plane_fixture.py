"""Fixtures on a real control plane: one plane for a module's tests, an API namespace of its own for each of them.

A module that needs controllers or flags overrides the fixture `plane_setup`.
"""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from tests.support.plane import Plane, running_plane


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneSetup:
    """How a module wants its plane; returned by its module-scoped fixture `plane_setup`."""

    controllers: Sequence[str] = ()
    flags: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Tenant:
    """A Kubernetes namespace that one test has for itself."""

    name: str
    plane: Plane


@pytest.fixture(scope="module")
def plane_setup() -> PlaneSetup:
    return PlaneSetup()


@pytest.fixture(scope="module")
def plane(plane_setup: PlaneSetup) -> Iterator[Plane]:
    with running_plane(controllers=plane_setup.controllers, flags=plane_setup.flags) as running:
        yield running


@pytest.fixture
def tenant(plane: Plane) -> Tenant:
    name = f"test-{secrets.token_hex(4)}"
    status, answer = plane.request(
        "POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    )
    assert status == 201, answer
    return Tenant(name, plane)
