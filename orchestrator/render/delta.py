"""What is added and what is removed: the input of every part of a difference, and what it has in common."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from orchestrator.render.canonical import Context, Line
from orchestrator.render.commands import slot


@dataclass(frozen=True, slots=True)
class Delta:
    """`added` are not in `running`, `removed` are."""

    running: AbstractSet[Line]
    added: frozenset[Line]
    removed: frozenset[Line]

    def only(self, lines: Iterable[Line]) -> "Delta":
        """The part of the change that is about these lines."""
        chosen = frozenset(lines)
        return Delta(self.running, self.added & chosen, self.removed & chosen)

    @property
    def touched(self) -> frozenset[Line]:
        return self.added | self.removed

    def taken(self) -> list[Line]:
        """The removed lines that no added line replaces; longer ones first, as `bfd profile x` depends on `bfd`."""
        replaced = place_and_slot(self.added)
        return sorted((line for line in self.removed if (line.context, slot(line)) not in replaced), reverse=True)

    def replaced(self) -> frozenset[Line]:
        """The added lines that replace a removed one."""
        old = place_and_slot(self.removed)
        return frozenset(line for line in self.added if (line.context, slot(line)) in old)


def place_and_slot(lines: Iterable[Line]) -> frozenset[tuple[Context, str]]:
    """What these lines set."""
    return frozenset((line.context, slot(line)) for line in lines)
