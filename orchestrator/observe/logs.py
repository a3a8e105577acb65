"""JSON log lines on standard output, with the keys of contract 8.1: ts, level, caller, event, then free keys."""

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

LEVELS = {
    "all": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "none": logging.CRITICAL,
}
"""Nothing of ours is critical; structlog knows no level above."""


def _caller(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Join file and line into MetalLB's `caller`."""
    event["caller"] = f"{event.pop('filename')}:{event.pop('lineno')}"
    return event


def _level(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Write `warn`, as MetalLB does."""
    if event["level"] == "warning":
        event["level"] = "warn"
    return event


def configure(level: str, stream: TextIO = sys.stdout) -> None:
    """Make every structlog logger of this process print JSON lines of at least `level` (a key of LEVELS)."""
    parameters = structlog.processors.CallsiteParameter
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.CallsiteParameterAdder([parameters.FILENAME, parameters.LINENO]),
            _caller,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
