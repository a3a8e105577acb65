"""Flags as Go programs take them: `-port=9120` is `--port=9120`, and a switch may be given its value.

MetalLB's manifests and the arguments of those who run it are written so. No flag may be abbreviated: a prefix that is
unique today is another flag's name tomorrow.
"""

import argparse
from collections.abc import Collection, Sequence

_TRUE, _FALSE = (
    frozenset({"1", "t", "T", "TRUE", "true", "True"}),
    frozenset({"0", "f", "F", "FALSE", "false", "False"}),
)


class FlagParser(argparse.ArgumentParser):
    """Understands one dash for two after `take_go_flags`."""

    _go_flags = False

    def take_go_flags(self) -> None:
        """From now on."""
        self._go_flags = True
        self.allow_abbrev = False

    def parse_known_args(  # type: ignore[override]  # its overloads only say that the namespace given is returned
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        if args is not None and self._go_flags:
            args = two_dashes(args, self._option_string_actions)
        return super().parse_known_args(args, namespace)


def two_dashes(words: Sequence[str], known: Collection[str]) -> list[str]:
    """Write `-name` and `-name=value` with two dashes where only `--name` is known."""
    return [f"-{word}" if _has_one_dash(word.partition("=")[0], known) else word for word in words]


def _has_one_dash(name: str, known: Collection[str]) -> bool:
    return name.startswith("-") and name not in known and f"-{name}" in known


def switch(text: str) -> bool:
    """Return the value of `--flag=VALUE`. Source: Go's strconv.ParseBool."""
    if text not in _TRUE | _FALSE:
        raise argparse.ArgumentTypeError(f'"{text}" is neither true nor false')
    return text in _TRUE
