"""The benches run, and print a table; what they print is for people to judge."""
from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(("module", "sizes", "figure"), [
    ("bench.push", "20", "flow-mods/s"), ("bench.audit", "400", "CPU a flow"),
    ("bench.api", "3", "plug to ACTIVE"), ("bench.answers", "0.1", "OFFER"),
    ("bench.storm", "16 4", "ports a second"), ("bench.flood", "4", "heard each"),
    ("bench.large", "1200 1 sqlite", "port create, 8 clients"),
    ("bench.large", "1200 1 postgresql", "a page of 1,000")])
def test_a_bench_prints_its_table(module: str, sizes: str, figure: str) -> None:
    done = subprocess.run((sys.executable, "-m", module, *sizes.split()), capture_output=True, text=True, check=False,
                          timeout=120)
    assert done.returncode == 0, done.stderr
    assert figure in done.stdout
    assert "Open vSwitch" in done.stdout


def test_a_short_storm_leaves_nothing_wrong() -> None:
    done = subprocess.run((sys.executable, "-m", "bench.tempest", "120", "10", "1"), capture_output=True, text=True,
                          check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    for happened in ("drops", "locks", "kills", "interfaces gone"):
        assert happened in done.stdout
