"""Tables of results: what was measured, how it came out, what it should be, and on what machine."""
from __future__ import annotations

import os
import platform
import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; `goal` is empty where there is none yet."""

    what: str
    result: str
    goal: str = ""


def table(title: str, rows: Sequence[Row]) -> None:
    print(f"\n{title}")
    width = max(len(row.what) for row in rows)
    for row in rows:
        print(f"  {row.what:{width}}  {row.result:>22}  {row.goal}".rstrip())


def machine() -> str:
    """One line: what the figures below were measured on."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown CPU")
    switch = subprocess.run(("ovs-vswitchd", "--version"), capture_output=True, text=True, check=True).stdout
    version = switch.splitlines()[0].rsplit(" ", 1)[-1]
    return (f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {model}, Python {platform.python_version()}, "
            f"Open vSwitch {version}")


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What `work` returns, and the seconds it took."""
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that is not below `part` of them."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def spread(values: Sequence[float]) -> str:
    """p50 and p95 of seconds, in milliseconds."""
    return f"{1000 * percentile(values, 0.5):.1f} / {1000 * percentile(values, 0.95):.1f} ms"


def tail(values: Sequence[float]) -> str:
    """p50 and p99 of seconds, in milliseconds."""
    return f"{1000 * percentile(values, 0.5):.1f} / {1000 * percentile(values, 0.99):.1f} ms"


def cpu(pid: int) -> float:
    """Seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_memory() -> str:
    """Of this process."""
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"


def resident(pid: int | None = None) -> float:
    """Megabytes of a process, this one unless it is named."""
    lines = Path(f"/proc/{pid or 'self'}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
