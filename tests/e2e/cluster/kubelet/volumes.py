"""A Pod's volumes as folders on the node's disk: scratch space, host paths, files from the API, rotated tokens."""

import os
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.cluster.kubelet.api import Api, Refused
from tests.e2e.cluster.kubelet.environment import Identity, data_of
from tests.e2e.cluster.kubelet.privileges import NotAllowed
from tests.e2e.cluster.kubelet.rootfs import Mount
from tests.e2e.cluster.kubelet.spec import Container, HostPath, Item, Source, TokenSource, Volume

ROTATE_AT = 0.8
"""Of a token's lifetime, as kubelet does."""


@dataclass(frozen=True, slots=True)
class File:
    """What one file of an API volume holds."""

    content: bytes
    mode: int


@dataclass(slots=True, kw_only=True)
class Volumes:
    """The volumes of one Pod; `folder` is its own, `host` stands for the node's root folder."""

    api: Api
    identity: Identity
    folder: Path
    host: Path
    paths: dict[str, Path] = field(default_factory=dict)
    _written: dict[Path, Mapping[str, File]] = field(default_factory=dict)
    _tokens: dict[tuple[str, TokenSource], tuple[str, float]] = field(default_factory=dict)

    async def prepare(self) -> None:
        """Make all that are not there yet. Raises NotAllowed if something that one needs is missing."""
        for volume in self.identity.spec.volumes:
            if volume.host_path:
                self.paths[volume.name] = self._host_path(volume.host_path)
                continue
            self.paths[volume.name] = path = self.folder / "volumes" / volume.name
            if not path.exists():
                path.mkdir(parents=True)
                path.chmod(0o777)
            if not volume.empty_dir:
                self._write(path, await self._files(volume))
            self._give_to_group(path)

    async def refresh(self) -> None:
        """Bring files from the API up to date; what is missing by now stays as it was."""
        for volume in self.identity.spec.volumes:
            if volume.config_map or volume.secret or volume.projected:
                try:
                    files = await self._files(volume)
                except (NotAllowed, Refused):
                    continue
                self._write(self.paths[volume.name], files)
                self._give_to_group(self.paths[volume.name])

    def mounts(self, container: Container) -> list[Mount]:
        """Where a container sees which of them."""
        return [
            Mount(
                source=self.paths[mount.name] / mount.sub_path,
                target=mount.mount_path,
                read_only=mount.read_only or self._is_from_api(mount.name),
            )
            for mount in container.volume_mounts
        ]

    def _is_from_api(self, name: str) -> bool:
        volume = next(one for one in self.identity.spec.volumes if one.name == name)
        return not (volume.empty_dir or volume.host_path)

    def _host_path(self, wanted: HostPath) -> Path:
        path = self.host / wanted.path.lstrip("/")
        if not path.exists():
            if wanted.type != "DirectoryOrCreate":
                raise NotAllowed(f"hostPath {wanted.path} is not there")
            path.mkdir(parents=True, mode=0o755)
        return path

    def _give_to_group(self, folder: Path) -> None:
        group = self.identity.spec.security_context.fs_group
        if group is None:
            return
        for path in (folder, *folder.rglob("*")):
            if not path.is_symlink():
                os.chown(path, -1, group)
                path.chmod(path.stat().st_mode | (0o2770 if path.is_dir() else 0o060))

    # ---- files from the API

    async def _files(self, volume: Volume) -> dict[str, File]:
        if texts := volume.config_map:
            return await self._keys("configmaps", texts.name, texts.items, texts.default_mode, texts.optional)
        if secret := volume.secret:
            return await self._keys("secrets", secret.secret_name, secret.items, secret.default_mode, secret.optional)
        assert volume.projected, f"volume {volume.name} is of no kind"
        files: dict[str, File] = {}
        for source in volume.projected.sources:
            files |= await self._projected(volume, source, volume.projected.default_mode)
        return files

    async def _projected(self, volume: Volume, source: Source, mode: int) -> dict[str, File]:
        if keys := source.config_map:
            return await self._keys("configmaps", keys.name, keys.items, mode, keys.optional)
        if keys := source.secret:
            return await self._keys("secrets", keys.name, keys.items, mode, keys.optional)
        if token := source.service_account_token:
            # fsGroup opens the token to it; else it is of the container's user alone, or of everybody.
            return {token.path: File((await self._token(volume.name, token)).encode(), mode)}
        assert source.downward_api
        fields = source.downward_api.items
        return {one.path: File(self.identity.field(one.field_ref.field_path).encode(), mode) for one in fields}

    async def _keys(self, kind: str, name: str, items: tuple[Item, ...], mode: int, optional: bool) -> dict[str, File]:
        data = await data_of(self.api, self.identity.pod.metadata.namespace, kind, name)
        if data is None:
            if optional:
                return {}
            raise NotAllowed(f"{kind} {name} not found")
        if not items:
            return {key: File(content, mode) for key, content in data.items()}
        return {one.path: File(data[one.key], one.mode or mode) for one in items if one.key in data or not optional}

    async def _token(self, volume: str, source: TokenSource) -> str:
        token, renew_at = self._tokens.get((volume, source), ("", 0.0))
        if time.time() < renew_at:
            return token
        metadata, spec = self.identity.pod.metadata, self.identity.spec
        bound = {"kind": "Pod", "apiVersion": "v1", "name": metadata.name, "uid": metadata.uid}
        wanted: dict[str, object] = {"expirationSeconds": source.expiration_seconds, "boundObjectRef": bound}
        if source.audience:
            wanted["audiences"] = [source.audience]
        account = f"/api/v1/namespaces/{metadata.namespace}/serviceaccounts/{spec.service_account_name}/token"
        answer = await self.api.send("POST", account, {"spec": wanted})
        token = str(answer["status"]["token"])
        self._tokens[volume, source] = token, time.time() + ROTATE_AT * source.expiration_seconds
        return token

    def _write(self, folder: Path, files: Mapping[str, File]) -> None:
        """Replace all files of a volume at once: `..data` points to the folder that holds them."""
        if self._written.get(folder) == files:
            return
        self._written[folder] = dict(files)
        data = folder / "..data"
        fresh = folder / f"..{time.strftime('%Y_%m_%d_%H_%M_%S')}.{secrets.token_hex(4)}"
        for name, file in files.items():
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / name).write_bytes(file.content)
            (fresh / name).chmod(file.mode)
        fresh.mkdir(exist_ok=True)
        before = data.resolve() if data.exists() else None
        (folder / "..data_tmp").symlink_to(fresh.name)
        (folder / "..data_tmp").replace(data)
        for top in {Path(name).parts[0] for name in files}:
            if not (folder / top).is_symlink():
                (folder / top).symlink_to(Path("..data", top))
        if before is not None:
            shutil.rmtree(before)
