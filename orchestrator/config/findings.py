"""What is wrong with one object, while it is being read; and the words that every message of `config` shares."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches

from orchestrator.resources.meta import ObjectRef, Problem, Severity
from orchestrator.resources.metallb import LabelSelector
from orchestrator.resources.selectors import selector_faults


class Findings:
    """Collects the problems of one object; a reader goes on after an error, so that all are found in one pass."""

    def __init__(self, ref: ObjectRef) -> None:
        self.ref = ref
        self._problems: list[Problem] = []

    def error(self, field: str, message: str, *, transient: bool = False) -> None:
        """The object cannot be used as it is; `transient`: another object may mend that."""
        self._problems.append(Problem(ref=self.ref, field=field, message=message, transient=transient))

    def missing(self, field: str, summary: str, remedy: str) -> None:
        """Another object is missing or unfit, and may mend that; `summary` is MetalLB's text (contract 3.11)."""
        self._problems.append(
            Problem(ref=self.ref, field=field, message=f"{summary}; {remedy}", transient=True, summary=summary)
        )

    def warn(self, field: str, message: str) -> None:
        """The object is used; this field has no effect or surprises."""
        self._problems.append(Problem(ref=self.ref, field=field, message=message, severity=Severity.WARNING))

    @property
    def usable(self) -> bool:
        """Whether no error was found so far."""
        return all(problem.severity is Severity.WARNING for problem in self._problems)

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(self._problems)


def check_selectors(selectors: Sequence[LabelSelector], field: str, findings: Findings) -> None:
    """Note everything that is wrong in a list of selectors."""
    for path, message in selector_faults(selectors, field):
        findings.error(path, message)


def check_list(names: Iterable[str], field: str, word: str, findings: Findings) -> None:
    """Note the names that stand twice in a list of what `word` says."""
    for name in duplicates(names):
        findings.error(field, f'duplicate definition of {word} "{name}"; remove one of them')


def warn_unknown(names: Iterable[str], existing: Collection[str], field: str, kind: str, findings: Findings) -> None:
    """Say which names are of no object: no error, it may come later, but it is mostly a typo."""
    for name in names:
        if name not in existing:
            findings.warn(field, f'there is no {kind} "{name}", so this name has no effect; {nearest(name, existing)}')


def nearest(name: str, existing: Iterable[str]) -> str:
    """Return a hint on the existing name that was probably meant, or what to do if there is none."""
    names = sorted(existing)
    close = get_close_matches(name, names, n=1, cutoff=0.0)
    return f'the nearest existing name is "{close[0]}"' if close else "there is none of this kind yet"


def duplicates(values: Iterable[str]) -> tuple[str, ...]:
    """Return the values that stand more than once, sorted."""
    return tuple(sorted(value for value, count in Counter(values).items() if count > 1))
