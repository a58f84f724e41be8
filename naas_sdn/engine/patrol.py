"""The rounds: every switch's counts often, every switch's whole table now and then, one after another.

Two green threads that only say whose turn it is; each switch's own loop looks.
"""
from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from typing import Protocol

from naas_sdn import runtime
from naas_sdn.engine.contract import Disconnected

LOG = logging.getLogger(__name__)

EMPTY = 1.0
"""Seconds to wait while there is no switch."""

PATIENCE = 60.0
"""Seconds that one audit may take before the round goes on."""


class Audited(Protocol):
    """What stands for one switch."""

    def check(self) -> None:
        """Compare how many flows each table has, and now and then the meters."""

    def audit(self) -> runtime.Future:
        """Compare everything; the CPU seconds that it took."""


class Patrol:
    """`check` and `audit` are the seconds of a round; `share` is the part of a core that audits may take.

    Where a round of audits cannot do with that share, it takes longer: `overdue` counts such rounds.
    """

    def __init__(self, switches: Callable[[], Collection[Audited]], check: float, audit: float, share: float) -> None:
        self._switches = switches
        self._check = check
        self._audit = audit
        self._share = share
        self.overdue = 0
        self.spent = 0.0
        """CPU seconds of all audits so far."""

    def check(self) -> None:
        """Until killed."""
        while True:
            switches = list(self._switches())
            for switch in switches:
                switch.check()
                runtime.sleep(self._check / len(switches))
            if not switches:
                runtime.sleep(EMPTY)

    def audit(self) -> None:
        """Until killed."""
        while True:
            started, switches = time.monotonic(), list(self._switches())
            for number, switch in enumerate(switches, 1):
                begun = time.monotonic()
                spent = self._one(switch)
                self.spent += spent
                earliest = max(started + self._audit * number / len(switches), begun + spent / self._share)
                runtime.sleep(max(0.0, earliest - time.monotonic()))
            if not switches:
                runtime.sleep(EMPTY)
            elif (took := time.monotonic() - started) > 1.1 * self._audit:
                self.overdue += 1
                LOG.warning("a round of audits took %.0f s instead of %.0f, for they may take %.1f %% of a core",
                            took, self._audit, 100 * self._share)

    @staticmethod
    def _one(switch: Audited) -> float:
        try:
            return float(switch.audit().wait(PATIENCE))
        except (Disconnected, TimeoutError) as error:
            LOG.info("an audit was not finished: %s", error)
            return 0.0
