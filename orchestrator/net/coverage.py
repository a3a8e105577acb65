"""Coverage: whether a prefix shares addresses with any of many others. What replaces a prefix covers it."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from orchestrator.net.addresses import Prefix


class Coverage:
    """Prefixes, asked whether one shares addresses with any of them; the cost does not grow with their number."""

    def __init__(self, prefixes: Iterable[Prefix]) -> None:
        self._known = frozenset(prefixes)
        self._firsts = sorted((each.version, int(each.network_address)) for each in self._known)
        self._lengths = frozenset((each.version, each.prefixlen) for each in self._known)

    def overlaps(self, prefix: Prefix) -> bool:
        """Whether an address of the prefix is in one of them."""
        return self._holds_a_part_of(prefix) or any(wide in self._known for wide in self._wider(prefix))

    def _holds_a_part_of(self, prefix: Prefix) -> bool:
        index = bisect_left(self._firsts, (prefix.version, int(prefix.network_address)))
        last = (prefix.version, int(prefix.broadcast_address))
        return index < len(self._firsts) and self._firsts[index] <= last

    def _wider(self, prefix: Prefix) -> Iterator[Prefix]:
        for version, length in self._lengths:
            if version == prefix.version and length <= prefix.prefixlen:
                yield prefix.supernet(new_prefix=length)
