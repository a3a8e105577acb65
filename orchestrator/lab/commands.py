"""`ferrule lab up`, `down`, `status` and `exec`: a lab that stays until it is taken down."""

import os
from collections.abc import Sequence
from typing import NoReturn

import msgspec

from orchestrator.errors import StartupError
from orchestrator.lab import layout, namespaces, objects, probes, record, steps, topology
from orchestrator.lab.demo import Screen
from orchestrator.lab.topology import Lab

SHELL = ("bash", "--norc")
WITH_HEALTH_PORT = frozenset({layout.CONTROL, *(node.name for node in layout.NODES)})


class MachineStatus(msgspec.Struct, frozen=True, rename="camel"):
    """A machine: its network namespace, its addresses, and the processes that the lab started on it.

    `unready` are the reasons that its speaker or controller gives for not being ready; None where neither should run.
    """

    name: str
    namespace: str
    addresses: tuple[str, ...]
    running: tuple[str, ...]
    ended: tuple[str, ...]
    unready: tuple[str, ...] | None


class ServiceStatus(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    policy: str
    addresses: tuple[str, ...]


class LabStatus(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    folder: str
    machines: tuple[MachineStatus, ...]
    services: tuple[ServiceStatus, ...]


def up(name: str) -> int:
    """Build a lab and wait until it serves; one that does not is left standing, to be looked at."""
    screen = Screen()
    with record.exclusive(name):
        lab = Lab.up(name)
        screen.say(steps.bring_up(lab, screen).measured)
    screen.say(f"manifests, statuses and logs are in {lab.folder.path}; edit the manifests and watch")
    screen.say(
        f"try `ferrule lab exec --name {name} client curl 203.0.113.1`, end with `ferrule lab down --name {name}`"
    )
    return 0


def down(name: str) -> int:
    """Remove a lab; none there is fine."""
    topology.require_root()
    with record.exclusive(name):
        record.clear(name)
    return 0


def status(name: str, *, as_json: bool) -> int:
    """Print the lab's machines and Services."""
    found = _status(Lab.find(name))
    screen = Screen()
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
        return 0
    screen.table(
        ("machine", "namespace", "addresses", "running", "ended", "ready"),
        [
            (one.name, one.namespace, *map(" ".join, (one.addresses, one.running, one.ended)), _readiness(one))
            for one in found.machines
        ],
    )
    screen.say("")
    rows = [(one.name, one.policy, " ".join(one.addresses) or "pending") for one in found.services]
    screen.table(("service", "policy", "address"), rows)
    return 0


def execute(name: str, machine: str, argv: Sequence[str]) -> NoReturn:
    """Become a command on a machine, a shell if none is given. Raises StartupError for an unknown machine."""
    lab = Lab.find(name)
    if machine not in lab.machines:
        raise StartupError(f'"{machine}" is no machine of lab {name}; there are {", ".join(lab.machines)}')
    words = argv[1:] if argv[:1] == ["--"] else argv
    command = lab.machines[machine].command(words or SHELL)
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted: the words go on as they are


def _status(lab: Lab) -> LabStatus:
    return LabStatus(
        name=lab.name,
        folder=str(lab.folder.path),
        machines=tuple(_machine_status(lab, machine) for machine in lab.machines),
        services=tuple(
            ServiceStatus(
                service.metadata.name, service.spec.external_traffic_policy, tuple(objects.addresses(service))
            )
            for service in objects.services(lab)
        ),
    )


def _machine_status(lab: Lab, machine: str) -> MachineStatus:
    namespace = lab.machines[machine]
    here = [started for started in lab.processes if started.machine == machine]
    return MachineStatus(
        name=machine,
        namespace=namespace.name,
        addresses=tuple(namespaces.addresses(namespace, layout.UPLINK)),
        running=tuple(f"{one.identity.name}({one.identity.pid})" for one in here if one.is_running),
        ended=tuple(one.identity.name for one in here if not one.is_running),
        unready=tuple(probes.unready(namespace)) if machine in WITH_HEALTH_PORT else None,
    )


def _readiness(machine: MachineStatus) -> str:
    if machine.unready is None:
        return ""
    return f"no: {'; '.join(machine.unready)}" if machine.unready else "yes"
