"""A Group's programs with their history, so that a switch is in step by knowing one version number.

Hypervisors share Groups: what a switch should hold is never stored for that switch, only (Group, version).
"""
from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from naas_sdn.apps.contract import Scope
from naas_sdn.pipeline.program import Compiled

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

    def replace(self, scope: Scope, program: Compiled | None) -> None:
        old = self.programs.get(scope)
        if program is None:
            self.programs.pop(scope, None)
        else:
            self.programs[scope] = program
        if scope.remote and program is not None:
            self.remote[scope.id] = scope
        elif scope.remote:
            self.remote.pop(scope.id, None)
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

    def remote_ports(self, have: Container[tuple[int, int]]) -> list[str]:
        """The ports that a switch must hold when it has these flows, by (table, cookie)."""
        return [port for port, scope in self.remote.items()
                if any(name in have for name in self.programs[scope].names())]

    def everything(self) -> Iterator[Change]:
        """All programs, as changes from nothing."""
        return (Change(scope, None, program) for scope, program in self.programs.items())
