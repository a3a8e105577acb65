"""`bgpextras`: a ConfigMap of our namespace with raw FRR text, as MetalLB takes it (contract 3.10).

Only the form is checked here; whether bgpd takes the text is found out on the node. A text that cannot be used, or not
be read just now, is not the same as none: what was accepted last stays.
"""

from collections.abc import Iterator

from orchestrator.config.findings import Findings
from orchestrator.config.model import Extras
from orchestrator.resources.core import ConfigMap
from orchestrator.resources.meta import ObjectRef, Problem
from orchestrator.resources.secret_text import SecretText
from orchestrator.resources.snapshot import ClusterSnapshot

CONFIG_MAP_NAME = "bgpextras"
KEY = "extras"
FIELD = f"data.{KEY}"
LONGEST = 4000
"""FRR cuts a command at 4095 octets and runs the rest as another one (8.4.4, tried)."""


def extras_of(snapshot: ClusterSnapshot) -> tuple[Extras | None, tuple[Problem, ...]]:
    """Return the text, None if there is none, and what is wrong with it."""
    found = snapshot.config_maps.get(CONFIG_MAP_NAME)
    if found is None:
        unusable = [ref for ref in snapshot.unusable if (ref.kind, ref.name) == ("ConfigMap", CONFIG_MAP_NAME)]
        if unusable:
            return Extras(origin=unusable[0], text=None), ()
        unread = Extras(origin=ObjectRef("ConfigMap", "", CONFIG_MAP_NAME), text=None)
        return (unread if snapshot.incomplete else None), ()
    return _read(found)


def numbered(text: str) -> Iterator[tuple[int, str]]:
    """Yield what FRR reads as commands, with the numbers of their lines from 1."""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.replace("\t", " ").strip()
        if line and line[0] not in "!#":
            yield number, line


def _read(config_map: ConfigMap) -> tuple[Extras | None, tuple[Problem, ...]]:
    ref = ObjectRef("ConfigMap", *config_map.metadata.key)
    findings = Findings(ref)
    for key in sorted(config_map.data.keys() - {KEY}):
        findings.warn(f"data.{key}", f'only the key "{KEY}" is read; put the text there')
    text = config_map.data.get(KEY, "")
    lines = tuple(numbered(text))
    for number, line in lines:
        fault = _fault(line)
        if fault:
            findings.error(FIELD, f"line {number} {fault}; what was accepted last stays until it is mended")
    if not lines:
        return None, findings.problems
    return Extras(origin=ref, text=SecretText(text) if findings.usable else None), findings.problems


def _fault(line: str) -> str:
    """What is wrong with the form of a line, empty if nothing is."""
    if len(line.encode()) > LONGEST:
        return f"has more than {LONGEST} octets"
    if any(not letter.isprintable() for letter in line):
        return "has a character that cannot be printed"
    return 'begins with "do", which is no configuration' if line.split(maxsplit=1)[0] == "do" else ""
