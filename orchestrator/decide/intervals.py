"""Intervals: a set of whole numbers as merged runs, for the first number that is not in it.

Runs are disjoint, not adjacent, and sorted; so the number after a run is free, and the search is one bisection however
many numbers are taken. Adding and removing move at most one list entry.
"""

from bisect import bisect_right


class Intervals:
    """A mutable set of integers; all operations take O(log runs) comparisons."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def __contains__(self, number: int) -> bool:
        index = bisect_right(self._firsts, number) - 1
        return index >= 0 and number <= self._lasts[index]

    def add(self, number: int) -> None:
        """Add one number; one that is there already stays."""
        if number not in self:
            self.add_run(number, number)

    def add_run(self, first: int, last: int) -> None:
        """Add all numbers from `first` to `last`, of which none may be there yet."""
        index = bisect_right(self._firsts, first)
        joins_left = index > 0 and self._lasts[index - 1] == first - 1
        joins_right = index < len(self._firsts) and self._firsts[index] == last + 1
        if joins_left and joins_right:
            self._lasts[index - 1] = self._lasts[index]
            del self._firsts[index], self._lasts[index]
        elif joins_left:
            self._lasts[index - 1] = last
        elif joins_right:
            self._firsts[index] = first
        else:
            self._firsts.insert(index, first)
            self._lasts.insert(index, last)

    def discard(self, number: int) -> None:
        """Remove one number; one that is not there stays away."""
        index = bisect_right(self._firsts, number) - 1
        if index < 0 or number > self._lasts[index]:
            return
        first, last = self._firsts[index], self._lasts[index]
        if first == last:
            del self._firsts[index], self._lasts[index]
        elif number == first:
            self._firsts[index] = number + 1
        elif number == last:
            self._lasts[index] = number - 1
        else:
            self._lasts[index] = number - 1
            self._firsts.insert(index + 1, number + 1)
            self._lasts.insert(index + 1, last)

    def next_absent(self, number: int) -> int:
        """Return the lowest number >= `number` that is not in the set."""
        index = bisect_right(self._firsts, number) - 1
        return self._lasts[index] + 1 if index >= 0 and number <= self._lasts[index] else number
