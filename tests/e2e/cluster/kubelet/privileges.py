"""Who a container's process is and what it may do: setpriv's options for a security context.

As container runtimes do it: added capabilities are in the bounding set, never ambient; a process that is not root has
none of them unless a file's capabilities give them.
"""

from tests.e2e.cluster.kubelet.spec import Container, PodSpec

DEFAULT_CAPABILITIES = frozenset(
    [
        "CHOWN",
        "DAC_OVERRIDE",
        "FSETID",
        "FOWNER",
        "MKNOD",
        "NET_RAW",
        "SETGID",
        "SETUID",
        "SETFCAP",
        "SETPCAP",
        "NET_BIND_SERVICE",
        "SYS_CHROOT",
        "KILL",
        "AUDIT_WRITE",
    ]
)


class NotAllowed(Exception):
    """The container must not start as it is."""


def command(pod: PodSpec, container: Container) -> list[str]:
    """Return the setpriv command that the container's own follows. Raises NotAllowed for root if it must not be."""
    own, common = container.security_context, pod.security_context
    user = _first(own.run_as_user, common.run_as_user, 0)
    group = _first(own.run_as_group, common.run_as_group, 0)
    if user == 0 and _first(own.run_as_non_root, common.run_as_non_root, False):
        raise NotAllowed("container has runAsNonRoot and image will run as root")
    groups = sorted({*common.supplemental_groups, *([] if common.fs_group is None else [common.fs_group])})
    return [
        *("setpriv", f"--reuid={user}", f"--regid={group}"),
        f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups",
        *([] if own.privileged else [f"--bounding-set={_bounding_set(container)}", "--inh-caps=-all"]),
        *([] if own.allow_privilege_escalation else ["--no-new-privs"]),
    ]


def _bounding_set(container: Container) -> str:
    wanted = container.security_context.capabilities
    dropped, added = _names(wanted.drop), _names(wanted.add)
    kept = (frozenset() if "ALL" in dropped else DEFAULT_CAPABILITIES - dropped) | added
    if "ALL" in added:
        return "+all"
    return ",".join(["-all", *(f"+{name.lower()}" for name in sorted(kept))])


def _names(capabilities: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name.upper().removeprefix("CAP_") for name in capabilities)


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)
