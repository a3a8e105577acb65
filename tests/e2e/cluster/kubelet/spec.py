"""The fields of a Pod that this kubelet acts on, and those that it may ignore, by name.

Any other field is refused: the Pod fails and says which one, so that nothing is silently left out of a test.
"""

from typing import Literal

import msgspec


class Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A part of a Pod's spec."""


class Reference(Part, frozen=True):
    """A key of a ConfigMap or Secret."""

    name: str
    key: str
    optional: bool = False


class FieldRef(Part, frozen=True):
    field_path: str
    api_version: str = "v1"


class EnvSource(Part, frozen=True):
    field_ref: FieldRef | None = None
    config_map_key_ref: Reference | None = None
    secret_key_ref: Reference | None = None


class EnvVar(Part, frozen=True):
    name: str
    value: str = ""
    value_from: EnvSource | None = None


class Capabilities(Part, frozen=True):
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class SecurityContext(Part, frozen=True):
    """Of a container; what it leaves open comes from the Pod's."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    privileged: bool = False
    allow_privilege_escalation: bool = True
    read_only_root_filesystem: bool = False
    capabilities: Capabilities = Capabilities()
    seccomp_profile: object = None


class PodSecurityContext(Part, frozen=True):
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    fs_group: int | None = None
    fs_group_change_policy: object = None
    supplemental_groups: tuple[int, ...] = ()
    seccomp_profile: object = None


class HttpGet(Part, frozen=True):
    port: int | str
    path: str = "/"
    host: str = ""
    scheme: Literal["HTTP"] = "HTTP"


class Exec(Part, frozen=True):
    command: tuple[str, ...]


class TcpSocket(Part, frozen=True):
    port: int | str
    host: str = ""


class Probe(Part, frozen=True):
    http_get: HttpGet | None = None
    exec: Exec | None = None
    tcp_socket: TcpSocket | None = None
    initial_delay_seconds: int = 0
    timeout_seconds: int = 1
    period_seconds: int = 10
    success_threshold: int = 1
    failure_threshold: int = 3


class VolumeMount(Part, frozen=True):
    name: str
    mount_path: str
    sub_path: str = ""
    read_only: bool = False
    recursive_read_only: object = None


class Port(Part, frozen=True):
    container_port: int
    name: str = ""
    protocol: str = "TCP"
    host_port: object = None


class Handler(Part, frozen=True):
    exec: Exec


class Lifecycle(Part, frozen=True):
    pre_stop: Handler | None = None


class Container(Part, frozen=True):
    name: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = "/"
    env: tuple[EnvVar, ...] = ()
    ports: tuple[Port, ...] = ()
    volume_mounts: tuple[VolumeMount, ...] = ()
    security_context: SecurityContext = SecurityContext()
    startup_probe: Probe | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    lifecycle: Lifecycle = Lifecycle()
    restart_policy: Literal["Always"] | None = None
    resources: object = None
    image_pull_policy: object = None
    termination_message_path: object = None
    termination_message_policy: object = None


class EmptyDir(Part, frozen=True):
    medium: Literal["", "Memory"] = ""
    size_limit: object = None


class HostPath(Part, frozen=True):
    path: str
    type: Literal["", "DirectoryOrCreate", "Directory"] = ""


class Item(Part, frozen=True):
    key: str
    path: str
    mode: int | None = None


class ConfigMapVolume(Part, frozen=True):
    name: str
    items: tuple[Item, ...] = ()
    default_mode: int = 0o644
    optional: bool = False


class SecretVolume(Part, frozen=True):
    secret_name: str
    items: tuple[Item, ...] = ()
    default_mode: int = 0o644
    optional: bool = False


class TokenSource(Part, frozen=True):
    path: str
    expiration_seconds: int = 3600
    audience: str = ""


class KeysSource(Part, frozen=True):
    """Of a projected volume: keys of a ConfigMap or Secret."""

    name: str
    items: tuple[Item, ...] = ()
    optional: bool = False


class FieldItem(Part, frozen=True):
    path: str
    field_ref: FieldRef


class DownwardSource(Part, frozen=True):
    items: tuple[FieldItem, ...] = ()


class Source(Part, frozen=True):
    service_account_token: TokenSource | None = None
    config_map: KeysSource | None = None
    secret: KeysSource | None = None
    downward_api: DownwardSource | None = msgspec.field(default=None, name="downwardAPI")


class Projected(Part, frozen=True):
    sources: tuple[Source, ...] = ()
    default_mode: int = 0o644


class Volume(Part, frozen=True):
    name: str
    empty_dir: EmptyDir | None = None
    host_path: HostPath | None = None
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    projected: Projected | None = None


class PodSpec(Part, frozen=True):
    containers: tuple[Container, ...]
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    node_name: str = ""
    host_network: bool = False
    share_process_namespace: Literal[False] = False
    restart_policy: Literal["Always", "OnFailure", "Never"] = "Always"
    termination_grace_period_seconds: int = 30
    service_account_name: str = ""
    service_account: object = None
    security_context: PodSecurityContext = PodSecurityContext()
    hostname: str = ""
    affinity: object = None
    automount_service_account_token: object = None
    dns_policy: object = None
    enable_service_links: object = None
    node_selector: object = None
    preemption_policy: object = None
    priority: object = None
    priority_class_name: object = None
    scheduler_name: object = None
    tolerations: object = None
    topology_spread_constraints: object = None


class Metadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    namespace: str
    uid: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None


class Pod(msgspec.Struct, frozen=True, kw_only=True):
    """A Pod as the API server sends it; its spec is decoded later, by `decode_spec`."""

    metadata: Metadata
    spec: msgspec.Raw
    status: dict[str, object] = {}

    @property
    def uid(self) -> str:
        return self.metadata.uid

    @property
    def path(self) -> str:
        return f"/api/v1/namespaces/{self.metadata.namespace}/pods/{self.metadata.name}"

    @property
    def title(self) -> str:
        return f"{self.metadata.namespace}/{self.metadata.name}"

    def decode_spec(self) -> PodSpec:
        """Raises ValidationError that names the field which this kubelet does not know."""
        return msgspec.json.decode(self.spec, type=PodSpec)
