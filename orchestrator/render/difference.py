"""Commands in safe order that make a running configuration what it should be, and their impact.

Start, restart, drift, partial failure, an upgrade of ours: all are this one function over sets of (context, line).
The order comes from leaks that were tried on FRR 8.4.4 and 10.5.3 (experiments 3.6): no command of it ever lets a peer
see a route that neither the old nor the new configuration gives it.

 0. settings of bgpd as a whole: they say what changed route-maps do
 1. withdraw, except prefixes whose addresses a new prefix covers
 2. make policies; a permit clause of an out-map is made as deny, filled, then flipped
 3. end instances and neighbors; make and change them: route-maps first, `activate` last
 4. announce: networks refer to policies that exist
 5. withdraw what is covered now, when the announcements were sent: in one go FRR sends withdrawals first
 6. remove policies that nothing refers to
 7. re-send what an edit in place changed

A change of routes contains no `neighbor` command; that is asserted.
"""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from orchestrator.render.canonical import Line
from orchestrator.render.commands import Command, Impact, clause_of, is_network, is_policy, is_setting, put, take
from orchestrator.render.delta import Delta
from orchestrator.render.network_changes import network_commands
from orchestrator.render.ownership import foreign_lines, is_held, ours_by_name
from orchestrator.render.policy_changes import policy_commands
from orchestrator.render.session_changes import session_change


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What to send, and what is known after every command was acknowledged: `gone` are no longer in the running
    configuration, `come` are. `foreign` and `held` are a person's lines; they stay.

    Before the command at index `pause` the networks `covering` must have been sent to peers (none: nothing to wait for).
    """

    commands: tuple[Command, ...]
    pause: int = 0
    covering: tuple[Line, ...] = ()
    gone: frozenset[Line] = frozenset()
    come: frozenset[Line] = frozenset()
    foreign: tuple[Line, ...] = ()
    held: tuple[Line, ...] = ()

    @property
    def impact(self) -> Impact:
        """The worst of the commands."""
        return max((command.impact for command in self.commands), default=Impact.NONE)


def difference(running: AbstractSet[Line], wanted: AbstractSet[Line], ours: AbstractSet[Line]) -> Difference:
    """Return what turns `running` into `wanted` while foreign lines stay.

    `ours` is what was rendered before; lines of `running` that carry our names are ours in any case.
    """
    mine = frozenset(ours_by_name(running)) | (ours & running)
    change = change_of(running, wanted, mine)
    foreign = foreign_lines(running, mine | wanted)
    return replace(
        change,
        foreign=tuple(line for line in foreign if not is_held(line)),
        held=tuple(line for line in foreign if is_held(line)),
    )


def change_of(running: AbstractSet[Line], wanted: Iterable[Line], ours: Iterable[Line]) -> Difference:
    """Return the same for the lines of changed blocks only: `ours` are those of the old blocks, `wanted` of the new ones.

    Costs the size of the change, unless neighbors or instances go.
    """
    goal = frozenset(wanted)
    delta = Delta(
        running=running,
        added=frozenset(line for line in goal if line not in running),
        removed=frozenset(line for line in ours if line in running and line not in goal),
    )
    if not delta.touched:
        return Difference(commands=())
    found = _in_safe_order(delta)
    _assert_routes_leave_neighbors(delta, found.commands)
    return found


def _in_safe_order(delta: Delta) -> Difference:
    of_networks = delta.only(filter(is_network, delta.touched))
    of_policies = delta.only(filter(is_policy, delta.touched))
    of_bfd = delta.only(line for line in delta.touched if clause_of(line) == "bfd")
    of_bgpd = delta.only(filter(is_setting, delta.touched))
    others = delta.touched - of_networks.touched - of_policies.touched - of_bfd.touched - of_bgpd.touched
    sessions = session_change(delta, others)
    ended = sessions.gone
    networks = network_commands(delta.only(of_networks.added | (of_networks.removed - ended)))
    policies = policy_commands(of_policies, of_networks.removed | ended)
    at_once = (
        *map(put, sorted(of_bgpd.added)),
        *networks.withdraw_first,
        *policies.make,
        *sessions.commands,
        *networks.announce,
    )
    return Difference(
        commands=(
            *at_once,
            *networks.withdraw_last,
            *policies.drop,
            *policies.resend,
            *_bfd_commands(of_bfd),
            *map(take, of_bgpd.taken()),
        ),
        pause=len(at_once),
        covering=networks.covering,
        gone=delta.removed - others | sessions.gone,
        come=delta.added - others | sessions.come,
    )


def _bfd_commands(delta: Delta) -> Iterator[Command]:
    """Profiles first: peers refer to them. A profile or peer that goes takes its lines along."""
    gone = {(*line.context, line.text) for line in delta.removed if len(line.context) == 1}
    yield from (take(line) for line in delta.taken() if line.context not in gone and len(line.context) == 2)
    yield from (put(line) for line in sorted(delta.added, key=lambda line: (line.text.startswith("peer "), line)))
    yield from (take(line) for line in sorted(delta.taken()) if len(line.context) == 1)


def _assert_routes_leave_neighbors(delta: Delta, commands: Iterable[Command]) -> None:
    if all(is_network(line) or is_policy(line) for line in delta.touched):
        assert not any("neighbor " in command.text for command in commands), "a change of routes touches a neighbor"
