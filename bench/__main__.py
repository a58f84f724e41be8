"""`make bench`: every figure, each by its own command. Exit status 1 when one could not be measured."""
from __future__ import annotations

import subprocess
import sys

COMMANDS = ("bench.push", "bench.audit", "bench.faults", "bench.api", "bench.answers", "bench.exchanges",
            "bench.continuity", "bench.wire", "bench.flood", "bench.storm", "bench.tempest", "bench.hostile",
            "bench.large")


def main() -> int:
    failed = []
    for module in COMMANDS:
        print(f"\n$ python -m {module}", flush=True)
        if subprocess.run((sys.executable, "-m", module), check=False).returncode:
            failed.append(module)
    if failed:
        print(f"\nnot measured: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
