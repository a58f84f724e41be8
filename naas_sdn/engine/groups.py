"""A Group's programs with their history, so that a switch is in step by knowing one version number.

Hypervisors share Groups: what a switch should hold is never stored for that switch, only (Group, version).
"""
from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from naas_sdn.apps.contract import Scope
from naas_sdn.pipeline.program import Compiled, Name

HISTORY = 4096
"""Changes that a Group remembers; a switch further behind is brought in step by its dump."""


class Change(NamedTuple):
    """One scope's program replaced; None: it was, or is, not there."""

    scope: Scope
    old: Compiled | None
    new: Compiled | None


class Mark(NamedTuple):
    """What a switch has of a Group: this version, of all ports or, in a wide network, of these."""

    version: int
    ports: frozenset[str] | None = None

    def has(self, scope: Scope) -> bool:
        return not scope.remote or self.ports is None or scope.id in self.ports


@dataclass(slots=True)
class Touch:
    """What a Group's subscribers must hear of: what changed in it after version `before`."""

    before: int
    ports: set[str] = field(default_factory=set)
    """Whose remote scopes changed: in a wide network, no matter of who does not hold them."""
    hosts: set[str] = field(default_factory=set)
    """Hypervisors on which other ports are plugged."""
    whole: bool = False
    """Something that every subscriber holds."""

    def add(self, scope: Scope) -> None:
        if scope.remote:
            self.ports.add(scope.id)
        else:
            self.whole = True

    def concerns(self, host: str, mark: Mark) -> bool:
        """Whether a hypervisor that has `mark` must look."""
        return self.whole or mark.ports is None or host in self.hosts or not self.ports.isdisjoint(mark.ports)


class GroupPrograms:
    """The current programs of one Group."""

    def __init__(self) -> None:
        self.programs: dict[Scope, Compiled] = {}
        self.remote: dict[str, Scope] = {}
        """By port, the scope that only those who ask for it need where the network is wide."""
        self.mark = Mark(0)
        """What a switch has that is in step, one object for all of them."""
        self._history: deque[Change] = deque(maxlen=HISTORY)
        self._common: tuple[Scope, ...] | None = None
        """What is not remote; and the port of each remote flow by cookie. Made when asked for: at a start by all
        hypervisors of a wide network, which must not go through each other's ports."""
        self._ports: dict[int, str] | None = None

    def replace(self, scope: Scope, program: Compiled | None) -> None:
        old = self.programs.get(scope)
        if program is None:
            self.programs.pop(scope, None)
        else:
            self.programs[scope] = program
        if not scope.remote:
            self._common = None
        elif program is not None:
            self.remote[scope.id], self._ports = scope, None
        else:
            self.remote.pop(scope.id, None)
            self._ports = None
        self._history.append(Change(scope, old, program))
        self.mark = Mark(self.mark.version + 1)

    def forget(self) -> None:
        """Nobody has had a version of it yet."""
        self._history.clear()

    def since(self, version: int) -> Iterator[Change] | None:
        """What changed after `version`, one Change a scope; None when that is no longer known."""
        behind = self.mark.version - version
        if behind > len(self._history):
            return None
        net: dict[Scope, Change] = {}
        for index in range(len(self._history) - behind, len(self._history)):
            change = self._history[index]
            first = net.get(change.scope)
            net[change.scope] = Change(change.scope, first.old if first else change.old, change.new)
        return iter(net.values())

    def remote_ports(self, have: Iterable[Name]) -> set[str]:
        """The ports that a switch must hold when it has these flows."""
        if self._ports is None:
            self._ports = {cookie: port for port, scope in self.remote.items()
                           for _, cookie in self.programs[scope].names()}
        ports = self._ports
        return {ports[cookie] for _, cookie in have if cookie in ports}

    def held(self, mark: Mark) -> Iterator[tuple[Scope, Compiled]]:
        """The current programs of the scopes that a switch with `mark` has."""
        if mark.ports is None:
            return iter(self.programs.items())
        if self._common is None:
            self._common = tuple(scope for scope in self.programs if not scope.remote)
        remote = (self.remote[port] for port in mark.ports if port in self.remote)
        return ((scope, self.programs[scope]) for scope in chain(self._common, remote))

    def everything(self, mark: Mark) -> Iterator[Change]:
        """What a switch with `mark` has, as changes from nothing."""
        return (Change(scope, None, program) for scope, program in self.held(mark))
