"""When two BGP advertisements would give one prefix two values where an update has room for one (contract 3.7).

Local preference, MED and the length of the AS path. Used twice: by `resolve` for advertisements of every Service of a
pool, and at announcement for those with serviceSelectors, when it is known which Services they match.
"""

from collections.abc import Collection
from typing import NamedTuple

from orchestrator.config.model import BgpAdvertisement
from orchestrator.net.addresses import IpFamily

LOCAL_PREF, MED, AS_PATH_PREPEND = FIELDS = ("localPref", "med", "asPathPrepend")


class Conflict(NamedTuple):
    """A field of the spec in which two advertisements differ, and its values."""

    field: str
    one: int
    other: int


def conflict(one: BgpAdvertisement, other: BgpAdvertisement, families: Collection[IpFamily]) -> Conflict | None:
    """Return the first field that differs if both send the same update to some peer from some node, else None."""
    pairs = (
        Conflict(LOCAL_PREF, one.local_pref, other.local_pref),
        Conflict(MED, one.med, other.med),
        Conflict(AS_PATH_PREPEND, one.as_path_prepend, other.as_path_prepend),
    )
    differing = next((pair for pair in pairs if pair.one != pair.other), None)
    return differing if differing and _meet(one, other, families) else None


def _meet(one: BgpAdvertisement, other: BgpAdvertisement, families: Collection[IpFamily]) -> bool:
    return (
        any(one.length_for(family) == other.length_for(family) for family in families)
        and not (one.peers is not None and other.peers is not None and one.peers.isdisjoint(other.peers))
        and not one.nodes.isdisjoint(other.nodes)
    )
