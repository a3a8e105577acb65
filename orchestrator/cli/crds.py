"""`ferrule crds`: the CustomResourceDefinitions that this version needs. Needs no cluster.

Printed, they can be piped to `kubectl apply --server-side -f -`; with --out they are written as files, one each.
"""

import argparse
import sys
from pathlib import Path

import yaml

from orchestrator.resources.schema import DEFINED, definition, name_of

HEADER = "# Made by `make crds` from orchestrator/resources; edit the structs and tables there, not this file.\n"
LINE_LENGTH = 120


class _Dumper(yaml.SafeDumper):
    """Repeats equal parts instead of referring to them."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the base class asks about one value at a time
        return True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("--out", type=Path, metavar="DIR", help="write files here instead of printing")


def run(arguments: argparse.Namespace) -> int:
    """Print or write the definitions."""
    texts = files()
    if arguments.out is None:
        sys.stdout.write("---\n".join(texts.values()))
        return 0
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (arguments.out / name).write_text(text)
    return 0


def files() -> dict[str, str]:
    """Return the text of each file by its name."""
    return {
        f"{name_of(kind)}.yaml": HEADER
        + yaml.dump(definition(kind), Dumper=_Dumper, sort_keys=False, width=LINE_LENGTH, allow_unicode=True)
        for kind in DEFINED
    }
