"""What a hostile peer does to others: a port's wiring, with and without him.

The controller is `naas-sdn serve` on SQLite, the hypervisors are simulated (bench/fleet); the last one is hostile
(bench/fleet/poison). Turns without him alternate with turns of each kind. Arguments: hypervisors (50), ports a turn
(50), kinds (all).
"""
from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from bench.api import Client
from bench.filling import Filling, place_of
from bench.fleet.__main__ import vtep
from bench.fleet.poison import WHATS
from bench.fleet.process import Fleet
from bench.report import Row, cpu, machine, percentile, resident, table
from naas_sdn.db.rows import PortRow, VifRow
from tests.support.controller import Controller, free_port

EACH = 20
"""Ports of a hypervisor."""

SHAPE = "tenants"
PATIENCE = 30.0
LOOK = 0.5
SETTLING = 2.0
"""Seconds that a turn goes on before it is measured: what is saved up for short bursts is used up then."""

CALM = 0.1
"""Of a core: a controller that uses less has done with whoever was hostile."""

TURNS = 3
GOAL = "10 % more at most"


@contextmanager
def hostile(what: str, port: int, number: int, keys: Sequence[int]) -> Iterator[None]:
    process = subprocess.Popen((sys.executable, "-W", "ignore", "-m", "bench.fleet.poison", what, str(port),
                                str(number), vtep(number), *map(str, keys)), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise SystemExit(f"the hostile peer ({what}) did not begin")
        time.sleep(SETTLING)
        yield
    finally:
        process.kill()
        process.communicate()


@dataclass(frozen=True, slots=True)
class Size:
    """So many hypervisors, one of them hostile, and so many ports to wire in a turn."""

    hypervisors: int
    turn: int


class Turns:
    """Ports wired and unwired, one after the other, on all hypervisors but the last."""

    def __init__(self, controller: Controller, fleet: Fleet, networks: Sequence[str], size: Size) -> None:
        self._client = Client(controller)
        self._pid = controller.pid
        self._fleet = fleet
        self._networks = networks
        self._place = place_of(SHAPE, size.hypervisors, size.hypervisors * EACH)
        self._size = size
        self._next = 0

    def resident(self) -> float:
        """Megabytes of the controller."""
        return resident(self._pid)

    def calm(self) -> None:
        """Wait until the controller has little to do."""
        used = cpu(self._pid)
        for _ in range(int(PATIENCE / LOOK)):
            time.sleep(LOOK)
            before, used = used, cpu(self._pid)
            if used - before < CALM * LOOK:
                return
        raise SystemExit(f"the controller is still busy {PATIENCE} s after whoever was hostile left")

    def turn(self) -> tuple[list[float], float]:
        """Seconds from the request to the switch's acknowledgement, of each; and the controller's CPU, of a core."""
        before, started = cpu(self._pid), time.monotonic()
        taken = [self._wire() for _ in range(self._size.turn)]
        return taken, (cpu(self._pid) - before) / (time.monotonic() - started)

    def _wire(self) -> float:
        number = self._next
        self._next = (self._next + 7) % (EACH * (self._size.hypervisors - 1))
        network, host = self._place(number)
        name = f"hv{host % (self._size.hypervisors - 1) + 1}"
        self._fleet.quiet()
        started = time.monotonic()
        made = self._client.post("vifs", network_id=self._networks[network], host=name, interface=f"if{EACH + 1}")
        wired = self._told(name, started) - started
        self._client.delete(f"ports/{made['port_id']}")
        return wired

    def _told(self, name: str, since: float) -> float:
        while time.monotonic() - since < PATIENCE:
            for moment, where, _ in self._fleet.ask("events"):
                if where == name:
                    return float(moment)
            time.sleep(0.001)
        raise SystemExit(f"{name} was not told within {PATIENCE} s")


def measure(hypervisors: int, count: int, whats: Sequence[str]) -> list[Row]:
    with tempfile.TemporaryDirectory() as directory:
        controller = Controller(Path(directory), ("127.0.0.1", free_port()), options={
            "OS_STATISTICS__INTERVAL": "100000", "OS_OPENFLOW__ECHO_INTERVAL": "5"})
        filling = Filling(f"sqlite:///{directory}/naas.db", SHAPE, hypervisors, hypervisors * EACH)
        keys = _keys(f"sqlite:///{directory}/naas.db", f"hv{hypervisors}")
        controller.start()
        try:
            with Fleet(controller.openflow[1], hypervisors - 1, EACH + 1) as fleet:
                fleet.settled(hypervisors - 1, controller.pid)
                turns = Turns(controller, fleet, filling.ids, Size(hypervisors, count))
                turns.turn()

                @contextmanager
                def beside(what: str) -> Iterator[None]:
                    with hostile(what, controller.openflow[1], hypervisors, keys):
                        yield

                return _rows(turns, beside, whats)
        except BaseException:
            print(controller.tail(), file=sys.stderr)
            raise
        finally:
            controller.stop()


def _rows(turns: Turns, hostile: Callable[[str], AbstractContextManager[None]], whats: Sequence[str]) -> list[Row]:
    alone: list[float] = []
    beside: dict[str, list[float]] = {what: [] for what in whats}
    used: dict[str, float] = {}
    before = turns.resident()
    grown: dict[str, float] = {}
    for _ in range(TURNS):
        for what in whats:
            turns.calm()
            taken, idle = turns.turn()
            alone += taken
            with hostile(what):
                taken, used[what] = turns.turn()
                beside[what] += taken
            grown[what] = turns.resident() - before
            print(f"  {what}: {_both(taken)}", file=sys.stderr, flush=True)
    rows = [Row("nobody hostile, p50 / p99", _both(alone)), Row("  controller, of a core", f"{100 * idle:.0f} %")]
    for what, taken in beside.items():
        more = 100 * (percentile(taken, 0.99) / percentile(alone, 0.99) - 1)
        rows += [Row(f"{what}, p50 / p99", f"{_both(taken)}, {more:+.0f} %", GOAL),
                 Row("  controller, of a core; grown so far", f"{100 * used[what]:.0f} %; {grown[what]:.0f} MB")]
    return rows


def _keys(url: str, host: str) -> list[int]:
    engine = create_engine(url)
    with Session(engine) as session:
        found = list(session.scalars(select(PortRow.key).join(VifRow, VifRow.port_id == PortRow.id)
                                     .where(VifRow.host == host)))
    engine.dispose()
    return found


def _both(values: list[float]) -> str:
    return f"{1000 * percentile(values, 0.5):.1f} / {1000 * percentile(values, 0.99):.1f} ms"


def main() -> None:
    hypervisors, count = map(int, sys.argv[1:3]) if len(sys.argv) > 2 else (50, 300)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print(machine())
    table(f"A hostile peer beside {hypervisors - 1} hypervisors: wiring a port, to its own switch",
          measure(hypervisors, count, sys.argv[3:] or WHATS))


if __name__ == "__main__":
    main()
