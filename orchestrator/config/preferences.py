"""When two BGP advertisements would give one prefix two values where an update has room for one (contract 3.7).

Local preference, MED and the length of the AS path. Used twice: by `resolve` for advertisements of every Service of a
pool, and at announcement for those with serviceSelectors, when it is known which Services they match.
"""

from collections.abc import Collection
from typing import NamedTuple

from orchestrator.config.model import BgpAdvertisement
from orchestrator.net.addresses import IpFamily

LOCAL_PREF = "localPref"
FIELDS = (LOCAL_PREF, "med", "asPathPrepend")


class Conflict(NamedTuple):
    """A field of the spec in which two advertisements differ, and its values."""

    field: str
    one: int
    other: int


def conflict(one: BgpAdvertisement, other: BgpAdvertisement, families: Collection[IpFamily]) -> Conflict | None:
    """Return the first field that differs if both send the same update to some peer from some node, else None."""
    ours, theirs = _values(one), _values(other)
    if ours == theirs or not _meet(one, other, families):
        return None
    return next(Conflict(*each) for each in zip(FIELDS, ours, theirs, strict=True) if each[1] != each[2])


def _values(advertisement: BgpAdvertisement) -> tuple[int, int, int]:
    """In the order of FIELDS."""
    return advertisement.local_pref, advertisement.med, advertisement.as_path_prepend


def _meet(one: BgpAdvertisement, other: BgpAdvertisement, families: Collection[IpFamily]) -> bool:
    return (
        any(one.length_for(family) == other.length_for(family) for family in families)
        and not (one.peers is not None and other.peers is not None and one.peers.isdisjoint(other.peers))
        and not one.nodes.isdisjoint(other.nodes)
    )
