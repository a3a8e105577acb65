"""One file: which names are manifests, and what stands in one of them.

A file that is no YAML is unreadable as a whole: nobody knows what its author meant after the broken place. Objects in a
readable file are each for themselves.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.resources.kinds import ref_of
from orchestrator.resources.meta import ObjectRef, Problem
from orchestrator.resources.parse import Ignored, ParsedObject, Refused, items_of, parse_object
from orchestrator.sources.manifests.documents import Document, Unreadable, read_documents
from orchestrator.sources.manifests.lines import Lines

SUFFIXES = frozenset({".yaml", ".yml", ".json"})


def is_manifest(name: str) -> bool:
    """Whether a file of this name is read. Editors' drafts and hidden files are not: `.a.swp`, `.#a.yaml`, `a.yaml~`."""
    return not name.startswith(".") and os.path.splitext(name)[1] in SUFFIXES  # noqa: PTH122  # a name, often asked


@dataclass(frozen=True, slots=True, kw_only=True)
class FileObject:
    """An object in a file; `place` is its file and line, `document` and `path` find its fields."""

    ref: ObjectRef
    outcome: ParsedObject | Refused
    place: str
    document: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContents:
    """What a file says. `problems` are those of the file and of parts that name no object; `ignored` counts foreign kinds."""

    name: str
    objects: tuple[FileObject, ...] = ()
    problems: tuple[Problem, ...] = ()
    readable: bool = True
    ignored: int = 0


def file_ref(name: str) -> ObjectRef:
    """How a problem refers to a file."""
    return ObjectRef("File", "", name)


def unreadable(name: str, line: int, message: str) -> FileContents:
    """Return what is known of a file that cannot be read."""
    problem = Problem(ref=file_ref(name), field="", message=message, source=f"{name}:{line}")
    return FileContents(name=name, problems=(problem,), readable=False)


def read_file(path: Path, name: str, namespace: str) -> FileContents | None:
    """Return the contents of a file, None if it is not there; what the system refuses becomes a problem."""
    try:
        # A pipe or device of such a name would be waited for.
        content = path.read_bytes() if stat.S_ISREG(path.stat().st_mode) else None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return unreadable(name, 1, f"cannot be read: {error.strerror}; check its permissions")
    if content is None:
        return unreadable(name, 1, "is no regular file; remove it")
    return read_content(name, content, namespace)


def read_content(name: str, content: bytes, namespace: str) -> FileContents:
    """Return what the bytes of a file say."""
    try:
        text = content.decode("utf-8-sig")
        entries = [entry for document in read_documents(text) for entry in _entries(document, name, namespace)]
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return unreadable(name, line, "is not UTF-8 text; save it as UTF-8")
    except Unreadable as error:
        return unreadable(name, error.line, str(error))
    objects = tuple(entry for entry in entries if isinstance(entry, FileObject))
    named = tuple(part for part in objects if part.ref.kind and part.ref.name)
    nameless = tuple(part for part in objects if not (part.ref.kind and part.ref.name))
    located = _located_objects(text, name, (*named, *nameless))
    return FileContents(
        name=name,
        objects=located[: len(named)],
        problems=tuple(problem for part in located[len(named) :] for problem in part.outcome.problems),
        ignored=sum(isinstance(entry, Ignored) for entry in entries),
    )


def _entries(document: Document, name: str, namespace: str) -> Iterator[FileObject | Ignored]:
    raw = document.value
    items = items_of(raw) if isinstance(raw, dict) else [("", raw)]
    lines = document.item_lines
    for index, (path, item) in enumerate(items):
        outcome = parse_object(item, namespace)
        if isinstance(outcome, Ignored):
            yield outcome
            continue
        ref = ref_of(outcome.obj) if isinstance(outcome, ParsedObject) else outcome.ref
        place = f"{name}:{lines[index] if path and index < len(lines) else document.line}"
        outcome = _with_faults(outcome, ref, document, name) if document.faults else outcome
        yield FileObject(ref=ref, outcome=outcome, place=place, document=document.index, path=path)


def _with_faults(outcome: ParsedObject | Refused, ref: ObjectRef, document: Document, name: str) -> Refused:
    """A document with a fault is refused whole: which of two equal keys was meant is not known."""
    found = (
        Problem(ref=ref, field="", message=fault.message, source=f"{name}:{fault.line}") for fault in document.faults
    )
    return Refused(ref, (*found, *outcome.problems))


def _located_objects(text: str, name: str, objects: tuple[FileObject, ...]) -> tuple[FileObject, ...]:
    """Return the objects with file and line in each problem that has none."""
    if not any(part.outcome.problems for part in objects):
        return objects
    lines = Lines(text)
    return tuple(replace(part, outcome=_located(part, name, lines)) for part in objects)


def _located(part: FileObject, name: str, lines: Lines) -> ParsedObject | Refused:
    problems = tuple(locate(part.outcome.problems, part, name, lines))
    if isinstance(part.outcome, Refused):
        return replace(part.outcome, ref=part.ref, problems=problems)
    return ParsedObject(part.outcome.obj, problems)


def locate(problems: Iterable[Problem], part: FileObject, name: str, lines: Lines) -> Iterator[Problem]:
    """Yield the problems of an object, each with the line of its field as source."""
    for problem in problems:
        path = ".".join(step for step in (part.path, problem.field) if step)
        source = problem.source or f"{name}:{lines.line(part.document, path)}"
        yield replace(problem, source=source)
