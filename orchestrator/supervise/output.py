"""Lines that FRR's daemons print, as log records: their time is dropped, their level is kept where they say one."""

import re

_PRIORITIES = {
    "emergencies": "error",
    "alerts": "error",
    "critical": "error",
    "errors": "error",
    "warnings": "warning",
    "notifications": "info",
    "informational": "info",
    "debugging": "debug",
}
_LINE = re.compile(
    r"^(?:\d{4}/\d\d/\d\d [\d:.]+ )?"  # log timestamp
    rf"(?:(?P<priority>{'|'.join(_PRIORITIES)}): )?"  # `log record-priority`
    r"(?:(?P<daemon>[A-Z][A-Z0-9]+): )?"
    r"(?:\[[A-Z0-9]{5}-[A-Z0-9]{5}\])?"  # unique id of the format string
    r"(?:\[EC (?P<code>\d+)\])? ?"  # error code: only warnings and errors have one
    r"(?P<text>.*)$",
    re.DOTALL,
)


def parse(line: str) -> tuple[str, str]:
    """Return (level, text); level is a method of structlog's loggers. Without a priority an error code is a warning."""
    found = _LINE.match(line)
    if found is None:
        return "info", line
    if found["priority"]:
        return _PRIORITIES[found["priority"]], found["text"]
    return ("warning" if found["code"] else "info"), found["text"]
