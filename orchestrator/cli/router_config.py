"""`ferrule router-config`: what the router on the other side of a BGPPeer has to be told, for FRR or BIRD. Changes nothing.

Standard output is the configuration alone; what a person should know beside it goes to standard error. The password is
a placeholder unless it is asked for. Exit status 1 if there is nothing to print.
"""

import argparse
import asyncio
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_interface

import msgspec
from jinja2 import FileSystemLoader

from orchestrator.cli import origin
from orchestrator.cli.arguments import add_files_argument, add_namespace_argument
from orchestrator.config.model import Config, NodeName
from orchestrator.config.passwords import SECRET_FIELD
from orchestrator.config.resolve import resolve
from orchestrator.net.bgp import MAX_U32, Asn
from orchestrator.render import router_config
from orchestrator.render.environment import build_environment
from orchestrator.render.router_config import Passwords, RouterInput, Vendor
from orchestrator.render.router_views import RouterView
from orchestrator.render.views import Leg
from orchestrator.resources.extensions import SpeakerState, SpeakerStateSpec
from orchestrator.resources.meta import Problem
from orchestrator.runtime.live_objects import read_live_objects
from orchestrator.settings import ProcessSettings, default_namespace, template_folder
from orchestrator.sources.manifests.reader import STANDARD_INPUT, read_manifests


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the objects say."""

    config: Config
    problems: tuple[Problem, ...]
    speakers: tuple[SpeakerStateSpec, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add_files_argument(parser)
    parser.add_argument(
        "--peer",
        action="append",
        required=True,
        metavar="NAME",
        help="the BGPPeer; repeat it for several peers of one router, such as one for each family",
    )
    parser.add_argument(
        "--vendor",
        type=Vendor,
        choices=tuple(Vendor),
        default=Vendor.FRR,
        metavar="{frr,bird}",
        help="whose language the router understands (default: frr)",
    )
    parser.add_argument(
        "--router-asn", type=_asn, metavar="N", help="the router's AS number, if the peer has dynamicASN: external"
    )
    parser.add_argument(
        "--interface",
        type=_port,
        action="append",
        default=[],
        metavar="NODE=NAME",
        help="the router's interface towards a node, if the peer is unnumbered; repeat it for each node",
    )
    parser.add_argument("--show-passwords", action="store_true", help="print the password instead of a placeholder")
    parser.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="json: the same without a vendor's words"
    )
    add_namespace_argument(parser)
    origin.add_arguments(parser)


def _asn(text: str) -> Asn:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= MAX_U32):
        raise argparse.ArgumentTypeError(f'"{text}" is no AS number from 1 to {MAX_U32}')
    return Asn(int(text))


def _port(text: str) -> tuple[str, str]:
    node, equals, name = text.partition("=")
    if not (node and equals and name):
        raise argparse.ArgumentTypeError(f'"{text}": write NODE=NAME, a node and the router\'s interface towards it')
    return node, name


def run(arguments: argparse.Namespace) -> int:
    """Print the router's configuration."""
    passwords = Passwords.SHOWN if arguments.show_passwords else Passwords.PLACEHOLDER
    found = _live(arguments) if origin.is_live(arguments) else _of_files(arguments)
    _say(_told(found.problems, passwords))
    view = router_config.view_of(
        arguments.peer,
        RouterInput(
            config=found.config,
            legs=_legs(found.speakers),
            ports=dict(arguments.interface),
            router_asn=arguments.router_asn,
            passwords=passwords,
        ),
    )
    text = _json(view) if arguments.output == "json" else _text(view, arguments.vendor)
    _say(f"note: {note}" for note in view.notes)
    sys.stdout.write(text)
    return 0


def _of_files(arguments: argparse.Namespace) -> Found:
    namespace = arguments.namespace or default_namespace()
    manifests = read_manifests(arguments.files or [STANDARD_INPUT], namespace)
    resolved = resolve(manifests.snapshot(namespace), {})
    objects = (event.obj for event in manifests.objects)
    return Found(
        config=resolved.config,
        problems=tuple(dict.fromkeys((*manifests.all_problems, *manifests.located(resolved.problems)))),
        speakers=tuple(each.spec for each in objects if isinstance(each, SpeakerState)),
    )


def _live(arguments: argparse.Namespace) -> Found:
    namespace = arguments.namespace or default_namespace()
    settings = ProcessSettings(origin=origin.origin_of(arguments), namespace=namespace)
    objects = asyncio.run(read_live_objects(settings))
    resolved = resolve(objects.snapshot, objects.last_good)
    problems = tuple(dict.fromkeys((*objects.problems, *resolved.problems)))
    return Found(config=resolved.config, problems=problems, speakers=tuple(objects.speakers))


def _told(problems: Iterable[Problem], passwords: Passwords) -> Iterable[str]:
    """A Secret that is not needed is not missed."""
    for problem in problems:
        if passwords is Passwords.SHOWN or problem.field != SECRET_FIELD:
            yield f"{problem.source or '-'}: {problem.severity.value}: {problem}"


def _say(lines: Iterable[str]) -> None:
    """A name in a manifest may hold anything, and a terminal obeys control characters."""
    for line in lines:
        sys.stderr.write("".join(letter if letter.isprintable() else " " for letter in line) + "\n")


def _legs(speakers: Iterable[SpeakerStateSpec]) -> Mapping[NodeName, Sequence[Leg]]:
    """Where speakers have told it, a node's addresses with their networks: which of them faces the router."""
    return {state.node: tuple(_legs_of(state)) for state in speakers}


def _legs_of(state: SpeakerStateSpec) -> Iterable[Leg]:
    for link in state.interfaces:
        for each in map(ip_interface, link.prefixes):
            yield Leg(interface=link.name, address=each.ip, prefix=each.network)


def _text(view: RouterView, vendor: Vendor) -> str:
    return router_config.render(view, vendor, build_environment(FileSystemLoader(template_folder())))


def _json(view: RouterView) -> str:
    fields = _in_camel_case(msgspec.to_builtins(view, enc_hook=str))
    return msgspec.json.format(msgspec.json.encode(fields), indent=2).decode() + "\n"


def _in_camel_case(value: object) -> object:
    if isinstance(value, dict):
        return {
            re.sub(r"_(\w)", lambda found: found[1].upper(), key): _in_camel_case(each) for key, each in value.items()
        }
    return [_in_camel_case(each) for each in value] if isinstance(value, list | tuple) else value
