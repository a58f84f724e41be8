"""When to look at a switch's whole table: at once when something tells of a fault, ever later while no repair lasts.

A switch that acknowledges what it does not keep, or somebody who fights over it, must not keep the controller busy, nor
keep ordinary changes waiting: those go on between the looks.
"""
from __future__ import annotations

import time
from collections.abc import Collection

from naas_sdn.engine.audit import Cause
from naas_sdn.pipeline.program import Name

PAUSE, LONGEST = 0.2, 30.0
"""Seconds between two looks: at least; and at the most, while what was repaired is found broken again."""

LIES = 3
"""Repairs in a row that did not last, after which the hypervisor shows an error."""


class Doubts:
    """About one switch."""

    def __init__(self) -> None:
        self.cause: Cause | None = None
        self.suspects: set[Name] = set()
        """Flows that somebody else touched."""
        self.strikes = 0
        """Repairs in a row that did not last."""
        self._repaired: frozenset[Name] = frozenset()
        self._next = 0.0

    def add(self, cause: Cause, suspects: Collection[Name] = ()) -> None:
        """The first cause is the one that is told."""
        self.suspects.update(suspects)
        self.cause = self.cause or cause

    @property
    def wait(self) -> float | None:
        """Seconds until the next look; None while there is no doubt."""
        return None if self.cause is None else max(0.0, self._next - time.monotonic())

    def take(self) -> tuple[Cause | None, frozenset[Name]]:
        """A look begins: what for, and at what in particular."""
        taken = self.cause, frozenset(self.suspects)
        self.cause, self.suspects = None, set()
        return taken

    def looked(self, faulty: Collection[Name]) -> None:
        """These flows were found faulty, and written again."""
        self.strikes = 0 if self._repaired.isdisjoint(faulty) else self.strikes + 1
        self._repaired = frozenset(faulty)
        self._next = time.monotonic() + min(LONGEST, PAUSE * 2 ** min(self.strikes, 10))

    def settled(self) -> None:
        """The switch has been seen to be in step."""
        self.strikes = 0
        self._repaired = frozenset()
