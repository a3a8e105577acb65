"""Kinds of our own group, ferrule.io/v1alpha1."""

from orchestrator.resources.meta import KubeStruct, ObjectMeta


class SpeakerInterface(KubeStruct, frozen=True, omit_defaults=False):
    """A link of the node: its MAC, whether it has carrier, and the prefixes that are on-link there."""

    name: str
    mac: str = ""
    carrier: bool = False
    prefixes: tuple[str, ...] = ()


class SpeakerStateSpec(KubeStruct, frozen=True, omit_defaults=False):
    """What election and conflict resolution need from another node.

    `instance` is new with each start of the speaker; `mesh_addresses` are where its responder hears heartbeats;
    `announced_addresses` are layer 2's, `announced_prefixes` BGP's.
    """

    node: str
    instance: str = ""
    version: str = ""
    mesh_addresses: tuple[str, ...] = ()
    interfaces: tuple[SpeakerInterface, ...] = ()
    draining: bool = False
    announced_addresses: int = 0
    announced_prefixes: int = 0


class SpeakerState(KubeStruct, frozen=True):
    metadata: ObjectMeta
    spec: SpeakerStateSpec
