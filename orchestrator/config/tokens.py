"""Words that will stand in a daemon's configuration: a blank or newline in one would be a second command.

Kubernetes refuses such names of objects; manifests without an API server, interfaces and passwords are checked here.
"""

import re

from orchestrator.config.findings import Findings

OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
INTERFACE_NAME = re.compile(r"[^\s/\x00-\x1f\x7f]{1,15}")
PASSWORD = re.compile(r"[\x21-\x7e]{1,80}")


def check_object_name(name: str, findings: Findings) -> None:
    """A DNS subdomain (RFC 1123), as Kubernetes demands of object names."""
    if not OBJECT_NAME.fullmatch(name):
        findings.error(
            "metadata.name",
            f"{name!r} is not an object name; use at most 253 lower case letters, digits, '-' and '.'",
        )


def check_interface(name: str, field: str, findings: Findings) -> None:
    """A name that Linux gives to links (and VRFs are links): IFNAMSIZ, no slash, no white space."""
    if not INTERFACE_NAME.fullmatch(name) or name in {".", ".."}:
        findings.error(field, f"{name!r} is not a link's name; use at most 15 characters without blanks and '/'")


def password_fault(password: str) -> str | None:
    """Return what is wrong with a TCP MD5 password (RFC 2385; Linux takes 80 octets, FRR's parser no blanks)."""
    if PASSWORD.fullmatch(password):
        return None
    if len(password) > 80:
        return f"the password has {len(password)} characters; use at most 80"
    return "the password has blanks, line ends or characters beyond ASCII; write it again without (echo -n)"
