"""The benches run, and print a table; what they print is for people to judge."""
from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(("module", "size", "figure"), [
    ("bench.push", "20", "flow-mods/s"), ("bench.audit", "400", "CPU a flow"),
    ("bench.api", "3", "plug to ACTIVE"), ("bench.answers", "0.1", "OFFER")])
def test_a_bench_prints_its_table(module: str, size: str, figure: str) -> None:
    done = subprocess.run((sys.executable, "-m", module, size), capture_output=True, text=True, check=False,
                          timeout=120)
    assert done.returncode == 0, done.stderr
    assert figure in done.stdout
    assert "Open vSwitch" in done.stdout
