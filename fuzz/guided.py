"""`python -m fuzz.guided KIND SEED MESSAGES`: the same readers, with atheris (libFuzzer) choosing by coverage.

Prints an Outcome, as JSON. Its times are those of instrumented code.
"""
from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NoReturn

import atheris

with atheris.instrument_imports(include=["naas_sdn.southbound", "naas_sdn.apps", "os_ken.ofproto.ofproto_v1_3_parser"]):
    from fuzz.kinds import BY_NAME
from fuzz.run import FAILURES, WARM, Judge, Outcome, resident

LONGEST = 4096
SEEDS = 300

def main(name: str, seed: int, messages: int) -> NoReturn:
    kind, chance = BY_NAME[name], Random(f"{name} {seed}")
    outcome = Outcome(f"{name}, guided")
    corpus = Path(tempfile.mkdtemp(prefix="naas-fuzz-"))
    for number in range(SEEDS):
        (corpus / str(number)).write_bytes(kind.make(chance)[:LONGEST])
    reader = kind.reader()
    judge = Judge(kind, reader.__enter__())
    started = time.monotonic()
    before = 0

    def one(message: bytes) -> None:
        nonlocal before
        judge.feed(message)
        outcome.messages += 1
        if outcome.messages == int(WARM * messages):
            before = resident()
        if outcome.messages >= messages or len(judge.failures) >= FAILURES:
            outcome.seconds, outcome.growth = time.monotonic() - started, resident() - before
            outcome.slowest, outcome.failures = judge.slowest, judge.failures
            with suppress(Exception):
                reader.__exit__(None, None, None)
            print(outcome.line(), flush=True)
            os._exit(0)

    atheris.Setup([sys.argv[0], str(corpus), f"-seed={seed}", f"-max_len={LONGEST}", "-verbosity=0", "-rss_limit_mb=0",
                   "-timeout=60", "-detect_leaks=0"], one)
    atheris.Fuzz()
    raise SystemExit("libFuzzer ended before its messages were used up")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
