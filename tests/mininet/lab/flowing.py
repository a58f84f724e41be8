"""Packets and a TCP stream from one machine to others, all the time, and what became of them."""
from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mininet.lab.machine import Machine
from tests.support.openvswitch import CommandFailed

ENDPOINTS = str(Path(__file__).with_name("endpoints.py"))
PORT = "5005"


@dataclass(frozen=True, slots=True)
class Passed:
    """What one receiver got: datagrams, the longest time between two of them in seconds, and the stream's fate."""

    sent: int
    received: int
    gap: float
    octets: int
    broken: str
    """Why the stream is not whole; empty when the one connection carried every byte."""

    @property
    def lost(self) -> int:
        return self.sent - self.received


@contextmanager
def flowing(sender: Machine, receivers: Sequence[Machine], at_least: int = 0,
            interval: float = 0.001) -> Iterator[list[Passed]]:
    """A datagram each `interval` seconds to every receiver, and one stream.

    The list holds what became of it on leaving, in the receivers' order; before, `at_least` datagrams are sent.
    """
    ends = [_started(machine, "receive", PORT) for machine in receivers]
    source = _started(sender, "send", PORT, str(interval), str(at_least), *(machine.ip for machine in receivers))
    results: list[Passed] = []
    try:
        yield results
    finally:
        sent = _ended(sender, source, 60 + 2 * at_least * interval)
        got = [_ended(machine, end, 60) for machine, end in zip(receivers, ends, strict=True)]
    for machine, arrived in zip(receivers, got, strict=True):
        stream = sent["streams"][machine.ip]
        whole = arrived["streams"] == [[stream["octets"], stream["digest"]]]
        broken = stream["error"] or ("" if whole else f"{stream} arrived as {arrived['streams']}")
        results.append(Passed(sent["sent"], arrived["received"], arrived["gap"], stream["octets"], broken))


def _started(machine: Machine, *arguments: str) -> subprocess.Popen[str]:
    # -I: the machine has none of our paths, and needs none.
    process = machine.spawn(sys.executable, "-I", ENDPOINTS, *arguments)
    assert process.stdout is not None
    if (line := process.stdout.readline()) != "ready\n":
        raise CommandFailed(f"{arguments[0]} in a machine: {line}{machine.finish(process)}")
    return process


def _ended(machine: Machine, process: subprocess.Popen[str], seconds: float) -> dict[str, Any]:
    printed = machine.finish(process, seconds)
    try:
        found: dict[str, Any] = json.loads(printed)
    except ValueError as error:
        raise CommandFailed(f"a flow ended with {printed!r}") from error
    return found
