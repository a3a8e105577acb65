"""Which lines of `bgpextras` are in force on this node, what is being tried, and what spoke against it.

A text is tried whenever it or our own sessions change, and until there is an answer, or if the answer is no, what was
accepted last stays. The lines of an earlier process are found in its document.
"""

import hashlib
from collections.abc import Callable

import structlog

from orchestrator.apply.supervisor import SupervisorClient
from orchestrator.config.extras import FIELD
from orchestrator.config.model import Extras
from orchestrator.fsm.supervisor_api import Tried, Try
from orchestrator.render.extras import ExtraLines, Objection, Refused, Trial, judge, text_of
from orchestrator.resources.meta import Problem

log = structlog.get_logger()


class ExtrasInForce:
    """`lines` is what belongs into the document now."""

    def __init__(self, kept: ExtraLines | None, supervisor: SupervisorClient) -> None:
        self.lines = kept
        self._supervisor = supervisor
        self._extras: Extras | None = None
        self._asked = ""
        self._answered = ""
        self._problem: Problem | None = None

    def want(self, extras: Extras | None, foundation: Callable[[], str]) -> None:
        """Make this the text; `foundation` is what it stands on. Asks the supervisor about what is new."""
        if extras is None:
            self.lines, self._problem, self._asked, self._answered = None, None, "", ""
        elif text := text_of(extras):
            base = foundation()
            key = hashlib.sha256(f"{base}\0{text}".encode()).hexdigest()
            if key != self._asked:
                self._asked = key
                self._supervisor.try_out(Try(key=key, base=base, text=text))
        self._extras = extras

    @property
    def untried(self) -> str:
        """The text that nobody has judged, while there is no supervisor to ask; empty if there is none."""
        waiting = self._asked != self._answered and not self._supervisor.connected
        return text_of(self._extras) if waiting and self._extras is not None else ""

    def of_daemon(self, trial: Trial) -> Tried:
        """What the node's own bgpd made of the text that is `untried`, as the supervisor would have said it."""
        refused = trial.refused
        if refused is None:
            return Tried(key=self._asked, before=trial.before, after=trial.after)
        return Tried(key=self._asked, number=refused.number, line=refused.line, words=refused.words)

    def hear(self, tried: Tried) -> None:
        """Take in an answer; one about another text than the present one is too late."""
        if self._extras is None or tried.key != self._asked or tried.key == self._answered:
            return
        self._answered = tried.key
        verdict = Objection(f"it could not be tried: {tried.trouble}") if tried.trouble else judge(_trial(tried))
        if isinstance(verdict, Objection):
            message = f"{verdict.message}; what was accepted last stays until the text is mended"
            self._problem = Problem(ref=self._extras.origin, field=FIELD, message=message)
            return
        self._problem = None
        self.lines = ExtraLines(origin=self._extras.origin, lines=verdict)
        log.info("extra FRR text accepted", lines=len(verdict))

    def problems(self, extras: Extras | None) -> tuple[Problem, ...]:
        """What spoke against this text, as far as it has been tried."""
        return (self._problem,) if self._problem is not None and extras == self._extras else ()


def _trial(tried: Tried) -> Trial:
    refused = Refused(number=tried.number, line=tried.line, words=tried.words) if tried.number else None
    return Trial(before=tried.before, after=tried.after, refused=refused)
