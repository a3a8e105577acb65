"""The root of a container's own mount namespace, as a script that builds it and then becomes the container's command.

Programs and libraries of this machine are there, read-only; of the rest only what an image would have. /proc is that
of the container's process namespace, /proc/sys and /sys are read-only as container runtimes have them. What else a
container can see or write is in its volumes: two containers share nothing by accident.
"""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.cluster.kubelet.images import CHECKOUT, CODE, VENV

ETC = [
    "passwd",
    "group",
    "nsswitch.conf",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "protocols",
    "services",
    *("pam.conf", "pam.d", "security"),  # vtysh asks PAM
    "host.conf",
    "gai.conf",
    "ssl",
    "localtime",
    "alternatives",
    "iproute2",
    "frr",
]
FRRVTY = 85
"""The group id that our image gives FRR's group, which the manifest names as fsGroup."""
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
LINKS_OR_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A folder or file of the kubelet's disk at a path of the container."""

    source: Path
    target: str
    read_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A container's root; `at` is an empty folder to build it on, `image` what `images.build` made."""

    at: Path
    image: Path
    mounts: Sequence[Mount]
    read_only: bool
    hostname: str
    working_folder: str
    started_descriptor: int

    def script(self, command: Sequence[str]) -> str:
        """For `bash -e -c` in new mount, process and name namespaces; tells through the descriptor when it is done."""
        lines = [
            f"cd {shlex.quote(str(self.at))}",
            "mount -t tmpfs -o mode=755 tmpfs .",
            f"cd {shlex.quote(str(self.at))}",
            *_system(),
            *_programs(self.image),
            *(line for mount in sorted(self.mounts, key=lambda one: one.target) for line in _bind(mount)),
            f"echo {shlex.quote(self.hostname)} > /proc/sys/kernel/hostname",
            "mkdir .old",
            "pivot_root . .old",
            "umount -l /.old",
            "rmdir /.old",
            *(["mount -o remount,ro,bind /"] if self.read_only else []),
            f"cd {shlex.quote(self.working_folder)}",
            f"echo started >&{self.started_descriptor}",
            f"exec {self.started_descriptor}>&-",
            f"exec {shlex.join(command)}",
        ]
        return "\n".join(lines)


def _system() -> list[str]:
    """Kernel file systems, devices, scratch folders, the few files of /etc that programs look up names in."""
    devices = [f"touch dev/{name}; mount --bind /dev/{name} dev/{name}" for name in DEVICES]
    return [
        "mkdir -p proc sys dev etc run tmp usr root home var/tmp var/lib var/log var/cache",
        "chmod 1777 tmp var/tmp; ln -s ../run var/run",
        "mount -t proc proc proc; mount --bind proc/sys proc/sys; mount -o remount,ro,bind proc/sys",
        "mount -t sysfs -o ro sysfs sys",
        "mount -t tmpfs -o mode=755 tmpfs dev; mkdir dev/shm; mount -t tmpfs -o mode=1777 tmpfs dev/shm",
        *devices,
        "ln -s /proc/self/fd dev/fd; ln -s fd/0 dev/stdin; ln -s fd/1 dev/stdout; ln -s fd/2 dev/stderr",
        f"for file in {' '.join(ETC)}; do [ ! -e /etc/$file ] || cp -a /etc/$file etc/; done",
        f"sed -i 's/^frrvty:x:[0-9]*:/frrvty:x:{FRRVTY}:/' etc/group",
        "echo 127.0.0.1 localhost > etc/hosts",
        "echo 'root:*:20000:0:99999:7:::' > etc/shadow",
    ]


def _programs(image: Path) -> list[str]:
    folders = [Path("/usr"), CHECKOUT, VENV, Path(sys.base_prefix)]
    outermost = [one for one in folders if not any(one != other and one.is_relative_to(other) for other in folders)]
    binds = [_bind(Mount(source=one, target=str(one), read_only=True)) for one in dict.fromkeys(outermost)]
    names = [name for name in LINKS_OR_FOLDERS if Path("/", name).is_symlink()]
    plain = [name for name in LINKS_OR_FOLDERS if Path("/", name).is_dir() and name not in names]
    binds += [_bind(Mount(source=Path("/", name), target=f"/{name}", read_only=True)) for name in plain]
    binds += [_bind(Mount(source=image / part, target=str(CHECKOUT / part), read_only=True)) for part in CODE]
    return [f"cp -a /{name} {name}" for name in names] + [line for bind in binds for line in bind]


def _bind(mount: Mount) -> list[str]:
    source, target = shlex.quote(str(mount.source)), shlex.quote(mount.target.lstrip("/"))
    make = f"mkdir -p {target}" if mount.source.is_dir() else f"mkdir -p $(dirname {target}); touch {target}"
    return [make, f"mount -o {'bind,ro' if mount.read_only else 'bind'} {source} {target}"]
