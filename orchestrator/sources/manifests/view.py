"""Two sets of files, manifests and states, seen as one set of objects; and what has changed since it was last told.

No I/O: files come in as FileContents, events go out.
"""

from collections.abc import Collection

from orchestrator.resources.kinds import KubeObject
from orchestrator.resources.meta import ObjectRef, Problem
from orchestrator.resources.parse import ParsedObject
from orchestrator.sources.interface import InputState, Removed, SourceEvent, Unusable, Upserted
from orchestrator.sources.manifests.claims import Claims
from orchestrator.sources.manifests.files import FileObject
from orchestrator.sources.manifests.overlay import OVERLAID_KINDS, overlaid


class View:
    """The objects as a consumer knows them; `manifests` and `states` are updated from outside."""

    def __init__(self) -> None:
        self.manifests = Claims()
        self.states = Claims()
        self._last_states: dict[ObjectRef, KubeObject] = {}
        self._delivered: dict[ObjectRef, Upserted | Unusable] = {}
        self._input = InputState()

    def changes(self, touched: Collection[ObjectRef], folders: InputState) -> list[SourceEvent]:
        """Return what to deliver after the files of `touched` changed; `folders` is what is wrong around the files."""
        events: list[SourceEvent] = []
        for ref in sorted(touched):
            event = self._current(ref)
            if event is None:
                if self._delivered.pop(ref, None) is not None:
                    events.append(Removed(ref))
            elif event != self._delivered.get(ref):
                self._delivered[ref] = event
                events.append(event)
        return [*events, *self._input_changes(folders)]

    def _input_changes(self, folders: InputState) -> list[SourceEvent]:
        current = InputState(
            problems=(*folders.problems, *self.manifests.problems(), *self.states.problems()),
            incomplete=folders.incomplete or self.manifests.incomplete or self.states.incomplete,
        )
        if current == self._input:
            return []
        self._input = current
        return [current]

    def _current(self, ref: ObjectRef) -> Upserted | Unusable | None:
        manifest, state = self.manifests.owner(ref), self.states.owner(ref)
        if ref.kind not in OVERLAID_KINDS:
            part = manifest or state
            return _event(part) if part is not None else None
        if manifest is None:
            return None
        event = _event(manifest)
        last, problems = self._last_state(ref, state)
        if last is None or isinstance(event, Unusable):
            return event
        return Upserted(overlaid(event.obj, last), (*event.problems, *problems))

    def _last_state(self, ref: ObjectRef, state: FileObject | None) -> tuple[KubeObject | None, tuple[Problem, ...]]:
        """The state that counts: one that cannot be parsed leaves the one before it in force."""
        if state is None:
            self._last_states.pop(ref, None)
            return None, ()
        if isinstance(state.outcome, ParsedObject):
            self._last_states[ref] = state.outcome.obj
        return self._last_states.get(ref), state.outcome.problems


def _event(part: FileObject) -> Upserted | Unusable:
    if isinstance(part.outcome, ParsedObject):
        return Upserted(part.outcome.obj, part.outcome.problems)
    return Unusable(part.ref, part.outcome.problems)
