"""A Pod's status as kubelet reports it, from what its containers do. Conditions of others stay as they are."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from tests.e2e.cluster.kubelet.environment import Identity
from tests.e2e.cluster.kubelet.runner import Runner, now

OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")
Condition = Mapping[str, Any]


def compose(
    identity: Identity, inits: Sequence[Runner], mains: Sequence[Runner], before: Mapping[str, object], begun: str
) -> dict[str, object]:
    """Return the whole status; `before` is the one that the API server has now."""
    initialized = all(runner.is_started if runner.is_sidecar else runner.exit_code == 0 for runner in inits)
    ready = initialized and all(runner.ready for runner in (*mains, *(one for one in inits if one.is_sidecar)))
    wanted = {"PodReadyToStartContainers": True, "Initialized": initialized, "ContainersReady": ready, "Ready": ready}
    known = {str(one["type"]): one for one in cast("Sequence[Condition]", before.get("conditions", []))}
    foreign = [one for kind, one in known.items() if kind not in OWN_CONDITIONS]
    conditions = [_condition(kind, value, known.get(kind)) for kind, value in wanted.items()]
    return {
        "phase": phase(identity.spec.restart_policy, inits, mains),
        "conditions": [*foreign, *conditions],
        "startTime": begun,
        "podIP": identity.addresses[0],
        "podIPs": [{"ip": address} for address in identity.addresses],
        "hostIP": identity.host_addresses[0],
        "hostIPs": [{"ip": address} for address in identity.host_addresses],
        "containerStatuses": [_container(runner) for runner in mains],
        **({"initContainerStatuses": [_container(runner) for runner in inits]} if inits else {}),
    }


def phase(restart_policy: str, inits: Sequence[Runner], mains: Sequence[Runner]) -> str:
    ended = [runner.exit_code for runner in mains if "terminated" in runner.state]
    if len(ended) == len(mains) and restart_policy != "Always":
        return "Failed" if any(ended) else "Succeeded"
    begun = any(runner.restart_count or "waiting" not in runner.state for runner in mains)
    return "Running" if begun else "Pending"


def failed(reason: str, message: str) -> dict[str, object]:
    """The status of a Pod that this kubelet cannot run."""
    return {"phase": "Failed", "reason": reason, "message": message}


def agrees(wanted: Mapping[str, object], found: Mapping[str, object]) -> bool:
    """Whether the API server's status has what we want in all that is ours, leaving out the conditions' details."""
    keys = ("phase", "podIPs", "containerStatuses", "initContainerStatuses")
    return all(found.get(key) == wanted.get(key) for key in keys) and _values(found) == _values(wanted)


def _values(status: Mapping[str, object]) -> dict[str, str]:
    conditions = cast("Sequence[Condition]", status.get("conditions", []))
    return {one["type"]: one["status"] for one in conditions if one["type"] in OWN_CONDITIONS}


def _condition(kind: str, value: bool, before: Condition | None) -> dict[str, object]:
    status = str(value)
    since = before["lastTransitionTime"] if before and before["status"] == status else now()
    why = {} if value else {"reason": "ContainersNotReady"}
    return {"type": kind, "status": status, "lastTransitionTime": since, **why}


def _container(runner: Runner) -> dict[str, object]:
    return {
        "name": runner.container.name,
        "image": runner.container.image,
        "imageID": f"local/{runner.container.image}",
        "ready": runner.exit_code == 0 if _is_done_init(runner) else runner.ready,
        "started": runner.is_started,
        "restartCount": runner.restart_count,
        "state": runner.state,
        "lastState": runner.last_state,
    }


def _is_done_init(runner: Runner) -> bool:
    return not runner.setting.restarts and not runner.is_sidecar and "terminated" in runner.state
