"""A short seeded run of the injector: every kind of fault is found and repaired, and nothing healthy is touched."""
from __future__ import annotations

from bench import faults


def test_every_fault_is_healed_and_nothing_healthy_is_touched() -> None:
    rows, well = faults.measure(200, seed=3)
    assert well, rows
    kinds = {row.what.partition(",")[0] for row in rows}
    assert {"barrier lied about", "meter altered", "port renamed", "row half-written", "row that lies",
            "controller killed"} <= kinds
