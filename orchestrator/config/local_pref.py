"""When two BGP advertisements would give one prefix two local preferences (contract 3.7).

Used twice: by `resolve` for advertisements of every Service of a pool, and at announcement for those with
serviceSelectors, when it is known which Services they match.
"""

from collections.abc import Collection

from orchestrator.config.model import BgpAdvertisement
from orchestrator.net.addresses import IpFamily


def conflict(one: BgpAdvertisement, other: BgpAdvertisement, families: Collection[IpFamily]) -> bool:
    """Whether both send the same update with different localPref to some peer from some node."""
    return (
        one.local_pref != other.local_pref
        and any(one.length_for(family) == other.length_for(family) for family in families)
        and not (one.peers is not None and other.peers is not None and one.peers.isdisjoint(other.peers))
        and not one.nodes.isdisjoint(other.nodes)
    )
