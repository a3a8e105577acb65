"""How `ferrule plan` says what changes: lines for people, in color on a terminal, or JSON."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from rich.console import Console
from rich.text import Text

from orchestrator.cli.printing import printable
from orchestrator.config.model import Config
from orchestrator.decide.node_plan import Layer2Address, layer2_in_order
from orchestrator.net.addresses import IpAddress
from orchestrator.render.preview import Change, SessionPreview
from orchestrator.render.sent_routes import Attributes
from orchestrator.render.session_impact import Fate
from orchestrator.runtime.foreseeing import NodePreview

Styled = tuple[str, str]
"""A style of the terminal, and a line."""

PLAIN, NEW, GONE, OTHER, ALARM = "", "green", "red", "yellow", "bold red"


def print_text(nodes: Sequence[NodePreview], config: Config, *, commands: bool) -> None:
    """Print the report."""
    lines = (line for node in nodes for line in _node(node, config, commands=commands))
    if not sys.stdout.isatty():
        sys.stdout.writelines(f"{printable(text)}\n" for _, text in lines)
        return
    console = Console(highlight=False, soft_wrap=True)
    for style, text in lines:
        console.print(Text(printable(text), style))


def _node(node: NodePreview, config: Config, *, commands: bool) -> Iterator[Styled]:
    inner = [*_sessions(node, config), *_layer2(node), *_foreign(node)]
    told = [(PLAIN, f"    {text}") for text in node.preview.commands] if commands else []
    yield (ALARM if node.preview.interrupts else "bold"), f"{node.node}: {_summary(node)}"
    yield from inner
    if told:
        yield PLAIN, "  commands:"
        yield from told


def _summary(node: NodePreview) -> str:
    sessions = node.preview.sessions
    changes = [change for each in sessions for change in each.changes]
    counts = [
        (sum(each.before is None for each in changes), "announced", "announced"),
        (sum(each.after is None for each in changes), "withdrawn", "withdrawn"),
        (sum(None not in (each.before, each.after) for each in changes), "changed", "changed"),
        *(
            (sum(each.fate is fate for each in sessions), f"session {fate.value}", f"sessions {fate.value}")
            for fate in Fate
        ),
        (len(list(_layer2(node))), "layer-2 address moved", "layer-2 addresses moved"),
    ]
    said = ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counts if count)
    return said or ("settings only" if node.preview.commands else "nothing changes")


def _sessions(node: NodePreview, config: Config) -> Iterator[Styled]:
    names = {(peer.vrf, peer.neighbor): peer.name for peer in config.peers.values()}
    for session in node.preview.sessions:
        if session.fate is None and not session.changes:
            continue
        name = names.get(session.key, "")
        vrf = f" in VRF {session.key.vrf}" if session.key.vrf else ""
        title = f"  {f'{name} ' if name else ''}{session.key.neighbor}{vrf}"
        style, fate = _fate(session)
        yield style, f"{title}: {fate}" if fate else title
        yield from _routes(session)


def _fate(session: SessionPreview) -> Styled:
    if session.fate is None:
        return PLAIN, ""
    why = f": {'; '.join(session.causes)}" if session.causes else ""
    return (ALARM if session.interrupts else NEW), f"session {session.fate.value}{why}"


def _routes(session: SessionPreview) -> Iterator[Styled]:
    width = max((len(each.prefix) for each in session.changes), default=0)
    for each in session.changes:
        yield _route(each, width)
    if session.unchanged:
        yield PLAIN, f"    = {session.unchanged} unchanged"


def _route(change: Change, width: int) -> Styled:
    prefix = f"{change.prefix:{width}}"
    if change.before is None:
        return NEW, f"    + {prefix}  {_words(change.after)}".rstrip()
    if change.after is None:
        return GONE, f"    - {prefix}".rstrip()
    lost = [f"no {each}" for each in change.before if each not in change.after and not _replaced(each, change.after)]
    new = [each for each in change.after if each not in change.before]
    return OTHER, f"    ~ {prefix}  {', '.join([*new, *lost])}"


def _replaced(words: str, others: Attributes) -> bool:
    """Whether another value of the same attribute is there."""
    name = words.split(maxsplit=1)[0]
    return any(each.split()[0] == name for each in others)


def _words(attributes: Attributes | None) -> str:
    return ", ".join(attributes or ())


def _layer2(node: NodePreview) -> Iterator[Styled]:
    if node.before is None and node.after is not None and not node.preview.sessions:
        before: Mapping[IpAddress, Layer2Address] = {}
    elif node.before is None:
        return
    else:
        before = node.before.plan.layer2
    after = node.after.plan.layer2 if node.after else {}
    for entry in layer2_in_order(entry for address, entry in after.items() if before.get(address) != entry):
        on = ", ".join(entry.interfaces or ("every interface",))
        yield (OTHER if entry.address in before else NEW), f"  layer 2: answers for {entry.address} on {on}"
    for entry in layer2_in_order(entry for address, entry in before.items() if address not in after):
        yield GONE, f"  layer 2: no longer answers for {entry.address}"


def _foreign(node: NodePreview) -> Iterator[Styled]:
    for line in node.preview.foreign:
        yield PLAIN, f"  stays, is not ours: {line}"


def print_json(nodes: Iterable[NodePreview]) -> None:
    """Print the same for programs."""
    fields = [_fields(node) for node in nodes]
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(fields), indent=2).decode() + "\n")


def _fields(node: NodePreview) -> Mapping[str, object]:
    return {
        "node": node.node,
        "impact": node.preview.impact.name.lower(),
        "interrupts": node.preview.interrupts,
        "sessions": [_session_fields(each) for each in node.preview.sessions],
        "layer2": [text.strip() for _, text in _layer2(node)],
        "foreign": [str(line) for line in node.preview.foreign],
        "commands": node.preview.commands,
    }


def _session_fields(session: SessionPreview) -> Mapping[str, object]:
    return {
        "neighbor": session.key.neighbor,
        "vrf": session.key.vrf,
        "impact": session.impact.name.lower(),
        "session": session.fate.value if session.fate else "kept",
        "causes": session.causes,
        "announced": [
            {"prefix": each.prefix, "attributes": each.after} for each in session.changes if each.before is None
        ],
        "withdrawn": [each.prefix for each in session.changes if each.after is None],
        "changed": [
            {"prefix": each.prefix, "before": each.before, "after": each.after}
            for each in session.changes
            if None not in (each.before, each.after)
        ],
        "unchanged": session.unchanged,
    }
