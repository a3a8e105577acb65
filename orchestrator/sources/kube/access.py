"""Where the API server is and who we are to it: a kubeconfig, or the ServiceAccount of our own pod.

The `kubernetes` package reads both and runs exec plugins. What it read is read again every minute, and at once when the
server does not accept it: kubelet replaces a pod's token when a fifth of its life is left (12 minutes of an hour), plugins
name the end of theirs, and whoever edits a kubeconfig expects it to count. Credentials that cannot be read again for
now stay in use: the server decides how long they are good.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import yaml
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.incluster_config import InClusterConfigLoader
from kubernetes.aio.config.kube_config import KubeConfigLoader, load_kube_config

from orchestrator.errors import StartupError

ACCOUNT_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_UNREADABLE = (ConfigException, OSError, yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError)
"""What the package raises about files that are not as they should be: it looks into them without checking."""

Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How old credentials may be; after a refusal they are read again, but a plugin does not run more often than this."""

    refresh_s: float = 60.0
    rejected_refresh_s: float = 5.0


USUAL = Freshness()


class Credentials(Protocol):
    """Where they are read."""

    async def load(self, configuration: Configuration) -> None:
        """Read them, again or for the first time. Raises one of `_UNREADABLE`."""
        ...


class Pod:
    """The ServiceAccount that kubelet mounts."""

    def __init__(self, folder: Path = ACCOUNT_FOLDER) -> None:
        self._folder = folder

    async def load(self, configuration: Configuration) -> None:
        token, authority = self._folder / "token", self._folder / "ca.crt"
        InClusterConfigLoader(str(token), str(authority), try_refresh_token=False).load_and_set(configuration)


class Kubeconfig:
    """One context of a kubeconfig; `context` empty means its current one."""

    def __init__(self, path: Path, context: str) -> None:
        self._path = path
        self._context = context or None
        self._loader: KubeConfigLoader | None = None
        self._stamp: Stamp = (0, 0)

    async def load(self, configuration: Configuration) -> None:
        stamp = _stamp(str(self._path))
        if self._loader is not None and stamp == self._stamp:
            await self._loader.load_and_set(configuration)  # it knows how long what a plugin gave is good
            return
        self._loader = await load_kube_config(str(self._path), self._context, configuration, persist_config=False)
        self._stamp = stamp


class Access:
    """A configuration whose credentials stay fresh."""

    def __init__(self, configuration: Configuration, credentials: Credentials, freshness: Freshness = USUAL) -> None:
        self.configuration = configuration
        self.trouble = ""
        """Why credentials could not be read again, empty if they could."""
        self._credentials = credentials
        self._freshness = freshness
        self._read_at = time.monotonic()
        self._read_again_at = self._read_at + freshness.refresh_s
        self._reading = asyncio.Lock()

    @classmethod
    async def open(cls, kubeconfig: Path | None, context: str, freshness: Freshness = USUAL) -> "Access":
        """Read the configuration. Raises StartupError with what to change."""
        configuration = Configuration()
        credentials: Credentials = Pod() if kubeconfig is None else Kubeconfig(kubeconfig, context)
        try:
            await credentials.load(configuration)
        except _UNREADABLE as error:
            place = f"kubeconfig {kubeconfig}" if kubeconfig else "no kubeconfig was given and this is no pod"
            raise StartupError(
                f"{place}: {_one_line(error)}; give --kubeconfig FILE or --source manifests:DIR"
            ) from error
        return cls(configuration, credentials, freshness)

    async def headers(self) -> dict[str, str]:
        """Return the header that says who we are."""
        if time.monotonic() >= self._read_again_at:
            async with self._reading:
                if time.monotonic() >= self._read_again_at:
                    await self._read_again()
        settings = await self.configuration.auth_settings()
        return {str(part["key"]): str(part["value"]) for part in _parts(settings) if part["value"] is not None}

    def rejected(self) -> None:
        """The server does not accept them, or its certificate is not what we expect: read them again soon."""
        self._read_again_at = min(self._read_again_at, self._read_at + self._freshness.rejected_refresh_s)

    def certificates(self) -> tuple[tuple[str, Stamp], ...]:
        """The files of certificates and keys, each with what changes when its contents do. Raises OSError."""
        settings = self.configuration
        files = (settings.ssl_ca_cert, settings.cert_file, settings.key_file)
        return tuple((file, _stamp(file)) for file in files if file)

    async def _read_again(self) -> None:
        try:
            await self._credentials.load(self.configuration)
            self.trouble = ""
        except _UNREADABLE as error:
            self.trouble = _one_line(error)
        self._read_at = time.monotonic()
        self._read_again_at = self._read_at + self._freshness.refresh_s


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _stamp(path: str) -> Stamp:
    """Raises OSError."""
    status = Path(path).stat()
    return status.st_mtime_ns, status.st_ino


def _parts(settings: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """The entries of the package's AuthSettings, of which each is a typed dict of its own."""
    return (part for part in settings.values() if isinstance(part, dict))
