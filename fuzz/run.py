"""Feeding one kind's reader: how many, how fast, how slow at worst, what failed, what it left in memory."""
from __future__ import annotations

import gc
import hashlib
import json
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from types import FrameType

from fuzz.kind import Kind, Take

HANG = 1.0
"""Seconds of processor after which a message is given up."""

AGAIN = 5
"""Times that a slow message is tried again: only one that is slow each time is slow by itself."""

WARM = 0.2
"""Part of the messages after which memory is looked at first: caches and interned values are there then."""

FAILURES = 20
"""Messages that failed after which a run ends."""

FOUND = Path("fuzz/found")


class Hang(BaseException):
    """Still busy; no reader may catch it."""


@dataclass(slots=True)
class Outcome:
    """`slowest` in seconds, `growth` in bytes of resident memory since the run was warm."""

    kind: str
    messages: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    growth: int = 0
    failures: list[str] = field(default_factory=list)

    def line(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, line: str) -> Outcome:
        return cls(**json.loads(line))


@contextmanager
def alarm() -> Iterator[None]:
    """SIGVTALRM raises Hang."""
    def ring(number: int, frame: FrameType | None) -> None:
        raise Hang(f"still busy after {HANG} s")

    before = signal.signal(signal.SIGVTALRM, ring)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def resident() -> int:
    """Bytes of this process."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


class Judge:
    """Hands messages to a reader; `failures` has a line for each that it should have taken and did not."""

    def __init__(self, kind: Kind, take: Take) -> None:
        self.slowest = 0.0
        self.failures: list[str] = []
        self._kind = kind
        self._take = take

    def feed(self, message: bytes) -> None:
        failed = len(self.failures)
        seconds = self._timed(message)
        if seconds > self._kind.most and len(self.failures) == failed:
            seconds = min(seconds, *(self._timed(message) for _ in range(AGAIN)))
            if seconds > self._kind.most:
                self._note(message, f"{1000 * seconds:.1f} ms")
        self.slowest = max(self.slowest, seconds)

    def _timed(self, message: bytes) -> float:
        signal.setitimer(signal.ITIMER_VIRTUAL, HANG)
        started = time.thread_time()
        try:
            self._take(message)
        except (Exception, Hang) as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            self._note(message, f"{type(error).__name__}: {str(error)[:300]} ({where.filename}:{where.lineno})")
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        return time.thread_time() - started

    def _note(self, message: bytes, what: str) -> None:
        FOUND.mkdir(exist_ok=True)
        path = FOUND / f"{hashlib.sha256(message).hexdigest()[:16]}.hex"
        path.write_text(message.hex() + "\n", encoding="ascii")
        self.failures.append(f"{self._kind.name}: {what}\n  {path}: {message.hex()[:2000]}")


def run(kind: Kind, seed: str, messages: int) -> Outcome:
    """Reproducible by `seed`."""
    chance = Random(f"{kind.name} {seed}")
    outcome = Outcome(kind.name)
    before = resident()
    with kind.reader() as take, alarm():
        judge = Judge(kind, take)
        started = time.monotonic()
        for number in range(messages):
            if number == int(WARM * messages):
                gc.collect()
                gc.freeze()
                before = resident()
            judge.feed(kind.make(chance))
            outcome.messages += 1
            if len(judge.failures) >= FAILURES:
                break
        outcome.seconds = time.monotonic() - started
        gc.collect()
        outcome.growth = resident() - before
        outcome.slowest, outcome.failures = judge.slowest, judge.failures
    gc.unfreeze()
    return outcome
