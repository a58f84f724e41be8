"""A fleet's process, as benches and tests hold it."""
from __future__ import annotations

import json
import subprocess
import sys
import time
from types import TracebackType
from typing import Any

from bench.report import cpu

QUIET = 0.05
"""Seconds without a bundle after which all switches concerned have acknowledged."""

SETTLED = 3.0
LONGEST = 300.0
"""Seconds that a cloud may take to be in step."""


class Fleet:
    """`python -m bench.fleet` as a process."""

    def __init__(self, port: int, hypervisors: int, interfaces: int) -> None:
        self._process = subprocess.Popen((sys.executable, "-m", "bench.fleet", str(port), str(hypervisors),
                                          str(interfaces)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, question: str) -> Any:
        """What it answers to a command of bench/fleet/fleet.py."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def settled(self, hypervisors: int, controller: int) -> float:
        """Wait until all have committed something, and nothing happens any more; the moment of the last commit."""
        last, told = time.monotonic(), set[str]()
        deadline = last + LONGEST
        while len(told) < hypervisors or time.monotonic() - last < SETTLED:
            if time.monotonic() > deadline:
                raise SystemExit(f"{len(told)} of {hypervisors} switches are in step after {LONGEST:.0f} s")
            events, used = self.ask("events"), cpu(controller)
            last = max([last, *(moment for moment, _, _ in events)])
            told.update(name for _, name, _ in events)
            time.sleep(0.2)
            if cpu(controller) - used > 0.1:
                deadline += 0.1     # it is at work
                last = max(last, time.monotonic() - SETTLED / 2)
        return last

    def quiet(self, wanted: str = "") -> list[tuple[float, str, int]]:
        """What is committed until nothing is for QUIET seconds, and hypervisor `wanted` has committed something."""
        events: list[tuple[float, str, int]] = []
        started = moment = time.monotonic()
        while time.monotonic() - moment < QUIET or (
                wanted and time.monotonic() - started < SETTLED and all(where != wanted for _, where, _ in events)):
            new = self.ask("events")
            events += new
            moment = max([moment, *(when for when, _, _ in new)])
            time.sleep(0.01)
        return events
