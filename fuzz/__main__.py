"""`make fuzz`: all kinds, on all cores, as a table. Exit status 1 when anything failed or a goal was missed.

Arguments: messages in all (10,000,000), seed (1). `python -m fuzz replay KIND FILE...` gives stored messages again.
"""
from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.report import machine
from fuzz.kinds import BY_NAME, KINDS
from fuzz.run import Judge, Outcome, alarm, run

GROWTH = 10 << 20
"""Bytes of memory that a run of any length may add."""

GUIDED = 0.2
"""Of the messages of a kind that coverage guides well."""

SLICE = 250_000
"""Messages of one process."""

HOURS = 3.0
"""After which one process is given up."""


def jobs(messages: int, seed: int) -> Iterator[list[str]]:
    """Arguments of the interpreter, the slowest kinds first."""
    for kind in reversed(KINDS):
        whole = messages * kind.share // 10_000
        guided = int(GUIDED * whole) if kind.guided else 0
        if guided:
            yield ["-m", "fuzz.guided", kind.name, str(seed), str(guided)]
        left = whole - guided
        for number in range(-(-left // SLICE)):
            yield ["-m", "fuzz", "slice", kind.name, f"{seed}.{number}", str(min(SLICE, left - number * SLICE))]


def worked(job: Sequence[str]) -> Outcome:
    """One process."""
    name = job[2 if job[1] == "fuzz.guided" else 3]
    # libFuzzer and atheris tell much of themselves.
    done = subprocess.run((sys.executable, "-W", "ignore", *job), capture_output=True, text=True, check=False,
                          timeout=3600 * HOURS)
    for line in done.stdout.splitlines():
        if line.startswith('{"kind"'):
            return Outcome.read(line)
    command = f"python {' '.join(job)}"
    return Outcome(name, failures=[f"{command} ended with status {done.returncode}: {done.stderr[-2000:]}"])


def summary(outcomes: Sequence[Outcome]) -> bool:
    """Print the table; True when every goal was reached."""
    print(f"{'kind':33}{'messages':>12}{'seconds':>10}{'slowest':>12}{'failures':>10}{'growth':>10}")
    good = True
    names = dict.fromkeys(outcome.kind for outcome in outcomes)
    for name in names:
        of = [outcome for outcome in outcomes if outcome.kind == name]
        failures, growth = sum(len(outcome.failures) for outcome in of), max(outcome.growth for outcome in of)
        good = good and not failures and growth < GROWTH
        print(f"{name:33}{sum(outcome.messages for outcome in of):12,}{sum(outcome.seconds for outcome in of):10.0f}"
              f"{1000 * max(outcome.slowest for outcome in of):9.1f} ms{failures:10}{growth / 1e6:7.1f} MB")
    print(f"{'all':33}{sum(outcome.messages for outcome in outcomes):12,}")
    print("goal: 10 ms a message in a parser (100 ms a whole HTTP request), no failure, 10 MB")
    return good


def replay(name: str, paths: Sequence[str]) -> int:
    kind = BY_NAME[name]
    with kind.reader() as take, alarm():
        judge = Judge(kind, take)
        for path in paths:
            judge.feed(bytes.fromhex(Path(path).read_text(encoding="ascii")))
    print("\n".join(judge.failures))
    print(f"slowest {1000 * judge.slowest:.1f} ms")
    return 1 if judge.failures else 0


def main(arguments: Sequence[str]) -> int:
    # Readers log what they refuse; here that is nearly everything.
    logging.disable(logging.CRITICAL)
    match arguments:
        case ["slice", name, seed, messages]:
            print(run(BY_NAME[name], seed, int(messages)).line(), flush=True)
            return 0
        case ["replay", name, *paths]:
            return replay(name, paths)
    whole = int(arguments[0]) if arguments else 10_000_000
    first = int(arguments[1]) if len(arguments) > 1 else 1
    print(machine(), flush=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = list(pool.map(worked, jobs(whole, first)))
    for outcome in outcomes:
        for failure in outcome.failures:
            print(failure, file=sys.stderr)
    return 0 if summary(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
