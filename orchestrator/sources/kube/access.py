"""Where the API server is and who we are to it: a kubeconfig, or the ServiceAccount of our own pod.

The `kubernetes` package reads both, runs exec plugins, and reads tokens again when they rotate.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.incluster_config import load_incluster_config
from kubernetes.aio.config.kube_config import KubeConfigLoader, load_kube_config

from orchestrator.errors import KubeError, StartupError

REFRESH_S = 60.0
"""Tokens are read again this often; kubelet rotates them minutes before they expire, plugins cache them."""


class Access:
    """A configuration whose credentials stay fresh."""

    def __init__(self, configuration: Configuration, loader: KubeConfigLoader | None) -> None:
        self.configuration = configuration
        self._loader = loader
        self._loaded_at = time.monotonic()
        self._loading = asyncio.Lock()

    @classmethod
    async def open(cls, kubeconfig: Path | None, context: str) -> "Access":
        """Read the configuration. Raises StartupError with what to change."""
        configuration = Configuration()
        try:
            if kubeconfig is None:
                load_incluster_config(configuration)
                return cls(configuration, None)
            loader = await load_kube_config(str(kubeconfig), context or None, configuration, persist_config=False)
        except (ConfigException, OSError) as error:
            place = f"kubeconfig {kubeconfig}" if kubeconfig else "no kubeconfig was given and this is no pod"
            raise StartupError(f"{place}: {error}; give --kubeconfig FILE or --source manifests:DIR") from error
        return cls(configuration, loader)

    async def headers(self) -> dict[str, str]:
        """Return the header that says who we are. Raises KubeError if the credentials cannot be read now."""
        try:
            await self._refresh()
            settings = await self.configuration.auth_settings()
        except (ConfigException, OSError) as error:
            raise KubeError(f"credentials cannot be read: {error}") from error
        return {str(part["key"]): str(part["value"]) for part in _parts(settings) if part["value"] is not None}

    async def _refresh(self) -> None:
        """In a pod the configuration's own hook does this; a kubeconfig's plugin runs again here."""
        if self._loader is None or time.monotonic() < self._loaded_at + REFRESH_S:
            return
        async with self._loading:
            if time.monotonic() >= self._loaded_at + REFRESH_S:
                await self._loader.load_and_set(self.configuration)
                self._loaded_at = time.monotonic()


def _parts(settings: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """The entries of the package's AuthSettings, of which each is a typed dict of its own."""
    return (part for part in settings.values() if isinstance(part, dict))
