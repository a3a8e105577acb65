"""AddressGroups: which Services share addresses, transitively. The unit of every decision of a speaker.

An index changed in place, because one event changes one group. A Service without addresses is a group of its own, so
that it has a plan which says why it is not announced. A group's id is its lowest member.
"""

from collections.abc import Iterable

from orchestrator.net.addresses import IpAddress
from orchestrator.resources.meta import ObjectKey

GroupId = ObjectKey
"""The lowest key of the group's members."""


class AddressGroups:
    """Connected components of Services that have an address in common."""

    def __init__(self) -> None:
        self._addresses: dict[ObjectKey, frozenset[IpAddress]] = {}
        self._users: dict[IpAddress, set[ObjectKey]] = {}
        self._group_of: dict[ObjectKey, GroupId] = {}
        self._members: dict[GroupId, frozenset[ObjectKey]] = {}

    def update(self, key: ObjectKey, addresses: Iterable[IpAddress]) -> tuple[GroupId, ...]:
        """Note a Service's addresses and return the groups to plan again, sorted; some may have no members now."""
        wanted = frozenset(addresses)
        if self._addresses.get(key) == wanted:
            return (self._group_of[key],)
        affected = {key, *self._detach(key)}
        for address in wanted:
            affected |= self._members[self._group_of[other]] if (other := self._any_user(address)) else frozenset()
            self._users.setdefault(address, set()).add(key)
        self._addresses[key] = wanted
        return self._regroup(affected)

    def remove(self, key: ObjectKey) -> tuple[GroupId, ...]:
        """Forget a Service and return the groups to plan again, sorted; some may have no members now."""
        affected = set(self._detach(key))
        self._addresses.pop(key, None)
        return self._regroup(affected)

    def members(self, group: GroupId) -> tuple[ObjectKey, ...]:
        """Return the Services of a group, sorted; empty if there is no such group any more."""
        return tuple(sorted(self._members.get(group, ())))

    @property
    def groups(self) -> tuple[GroupId, ...]:
        """All groups, sorted."""
        return tuple(sorted(self._members))

    def group_using(self, address: IpAddress) -> GroupId | None:
        """Return the group of the Services that have this address."""
        user = self._any_user(address)
        return None if user is None else self._group_of[user]

    def _any_user(self, address: IpAddress) -> ObjectKey | None:
        return next(iter(self._users.get(address, ())), None)

    def _detach(self, key: ObjectKey) -> frozenset[ObjectKey]:
        """Take a Service's addresses from it and return who was in its group, itself included."""
        for address in self._addresses.get(key, ()):
            users = self._users[address]
            users.discard(key)
            if not users:
                del self._users[address]
        group = self._group_of.get(key)
        return frozenset() if group is None else self._members[group]

    def _regroup(self, affected: set[ObjectKey]) -> tuple[GroupId, ...]:
        """Find the components of the affected Services anew; the group of each affected one is affected whole."""
        touched = {self._group_of.pop(key) for key in affected if key in self._group_of}
        for group in touched:
            del self._members[group]
        left = {key for key in affected if key in self._addresses}
        while left:
            component = self._component(left.pop())
            left -= component
            group = min(component)
            touched.add(group)
            self._members[group] = component
            self._group_of.update(dict.fromkeys(component, group))
        return tuple(sorted(touched))

    def _component(self, start: ObjectKey) -> frozenset[ObjectKey]:
        found, todo = {start}, [start]
        while todo:
            for address in self._addresses[todo.pop()]:
                new = self._users[address] - found
                found |= new
                todo += new
        return frozenset(found)
