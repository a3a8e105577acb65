"""A container's environment, command and arguments: values, references and `$(NAME)` filled in."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.e2e.cluster.kubelet.api import Api, Gone
from tests.e2e.cluster.kubelet.images import Image
from tests.e2e.cluster.kubelet.privileges import NotAllowed
from tests.e2e.cluster.kubelet.spec import Container, EnvVar, Pod, PodSpec, Reference

SERVICE = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
"""Where a Pod finds the API server: Service default/kubernetes, by kube-proxy's rules."""
VARIABLE = re.compile(r"\$\$|\$\(([A-Za-z_.-][\w.-]*)\)")
KEYED = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What the downward API tells of a Pod; IPv4 addresses first."""

    pod: Pod
    spec: PodSpec
    addresses: Sequence[str]
    host_addresses: Sequence[str]

    @property
    def hostname(self) -> str:
        return self.spec.node_name if self.spec.host_network else self.spec.hostname or self.pod.metadata.name

    def field(self, path: str) -> str:
        """Raises NotAllowed for a field that is not known here."""
        metadata = self.pod.metadata
        known = {
            "metadata.name": metadata.name,
            "metadata.namespace": metadata.namespace,
            "metadata.uid": metadata.uid,
            "spec.nodeName": self.spec.node_name,
            "spec.serviceAccountName": self.spec.service_account_name,
            "status.podIP": self.addresses[0],
            "status.podIPs": ",".join(self.addresses),
            "status.hostIP": self.host_addresses[0],
            "status.hostIPs": ",".join(self.host_addresses),
        }
        if keyed := KEYED.fullmatch(path):
            return (metadata.labels if keyed[1] == "labels" else metadata.annotations).get(keyed[2], "")
        if path not in known:
            raise NotAllowed(f"fieldPath {path} is not known to this kubelet")
        return known[path]


async def resolve(api: Api, identity: Identity, container: Container, image: Image) -> dict[str, str]:
    """Return the whole environment. Raises NotAllowed if a key that it needs is not there."""
    found = {"PATH": image.path, "HOSTNAME": identity.hostname, "HOME": "/root", **SERVICE}
    for variable in container.env:
        value = await _value(api, identity, variable, found)
        if value is not None:
            found[variable.name] = value
    return found


async def _value(api: Api, identity: Identity, variable: EnvVar, known: Mapping[str, str]) -> str | None:
    source = variable.value_from
    if source is None:
        return expand(variable.value, known)
    if source.field_ref:
        return identity.field(source.field_ref.field_path)
    if source.config_map_key_ref:
        return await _key(api, identity, "configmaps", source.config_map_key_ref)
    assert source.secret_key_ref, f"{variable.name}: the API server lets no empty valueFrom through"
    return await _key(api, identity, "secrets", source.secret_key_ref)


async def _key(api: Api, identity: Identity, kind: str, reference: Reference) -> str | None:
    data = await data_of(api, identity.pod.metadata.namespace, kind, reference.name)
    if data is not None and reference.key in data:
        return data[reference.key].decode()
    if reference.optional:
        return None
    raise NotAllowed(f"couldn't find key {reference.key} in {kind} {reference.name}")


async def data_of(api: Api, namespace: str, kind: str, name: str) -> dict[str, bytes] | None:
    """Return what a ConfigMap or Secret holds; None if it is not there."""
    try:
        found = await api.send("GET", f"/api/v1/namespaces/{namespace}/{kind}/{name}")
    except Gone:
        return None
    encoded = {**found.get("binaryData", {}), **(found.get("data", {}) if kind == "secrets" else {})}
    plain = {} if kind == "secrets" else found.get("data", {})
    return {key: value.encode() for key, value in plain.items()} | {
        key: base64.b64decode(value) for key, value in encoded.items()
    }


def command(container: Container, image: Image, environment: Mapping[str, str]) -> list[str]:
    """Return the words to run: `command` replaces the image's entry point, `args` follow."""
    words = [*(container.command or image.entrypoint), *container.args]
    return [expand(word, environment) for word in words]


def expand(text: str, known: Mapping[str, str]) -> str:
    """Fill in `$(NAME)`; unknown names stay as they are, `$$` is a dollar sign."""

    def fill(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else known.get(match[1], match[0])

    return VARIABLE.sub(fill, text)
