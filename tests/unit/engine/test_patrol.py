"""Every switch has its turn, and audits keep to their share of a core."""
from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from naas_sdn import runtime
from naas_sdn.engine.contract import Disconnected
from naas_sdn.engine.patrol import Patrol
from tests.support.fleet import until


class Audited:
    """Takes `cost` CPU seconds, it says; None: it is gone before it is done."""

    def __init__(self, cost: float | None) -> None:
        self.cost = cost
        self.checks = 0
        self.audits = 0

    def check(self) -> None:
        self.checks += 1

    def audit(self) -> runtime.Future:
        self.audits += 1
        future = runtime.Future()
        if self.cost is None:
            future.fail(Disconnected("gone"))
        else:
            future.resolve(self.cost)
        return future


@pytest.fixture
def rounds() -> Iterator[list[runtime.GreenThread]]:
    threads: list[runtime.GreenThread] = []
    yield threads
    for thread in threads:
        thread.kill()


def test_every_switch_has_its_turn(rounds: list[runtime.GreenThread]) -> None:
    switches = [Audited(0.0), Audited(None), Audited(0.0)]
    patrol = Patrol(lambda: switches, check=0.03, audit=0.03, share=1)
    rounds += [runtime.spawn(patrol.check), runtime.spawn(patrol.audit)]
    until(lambda: all(switch.checks > 2 and switch.audits > 2 for switch in switches))
    assert max(s.checks for s in switches) - min(s.checks for s in switches) <= 1
    assert max(s.audits for s in switches) - min(s.audits for s in switches) <= 1


def test_the_share_wins_and_a_late_round_is_counted(rounds: list[runtime.GreenThread]) -> None:
    """0.01 s at a tenth of a core is one audit in 0.1 s, though a round should take 0.02."""
    switches = [Audited(0.01), Audited(0.01)]
    patrol = Patrol(lambda: switches, check=1, audit=0.02, share=0.1)
    rounds.append(runtime.spawn(patrol.audit))
    started = time.monotonic()
    until(lambda: patrol.overdue == 2)
    assert patrol.spent <= 0.1 * (time.monotonic() - started) + 0.011
