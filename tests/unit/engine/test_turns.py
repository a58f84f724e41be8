"""When all switches have to look at once, whoever waits for one of them does not wait for all."""
from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from naas_sdn import runtime
from naas_sdn.db.session import Database
from naas_sdn.engine.engine import Engine
from naas_sdn.model.store import Key
from naas_sdn.model.values import Fact
from naas_sdn.southbound import codec
from tests.support import topologies
from tests.support.fleet import until
from tests.support.switches import ToldSwitch
from tests.unit.engine.test_replica import Table

HOSTS = 12
WIDEST = 2 * HOSTS
LINKS = {"vxlan0": topologies.TUNNEL_PORT}


def facts() -> Iterator[tuple[Key, Fact]]:
    """A network on each hypervisor, all behind one router, with as many machines as a narrow one may have."""
    for number in range(1, HOSTS + 1):
        yield from topologies.hypervisor(number)
        yield from topologies.network(number)
        yield from topologies.subnet(number)
    for number in range(2, WIDEST + 2):
        host = 1 + number % HOSTS
        yield from topologies.vm(number, host, host)
    yield from topologies.router(1, *range(1, HOSTS + 1))


def test_the_port_that_makes_networks_wide_is_wired_first_and_others_have_turns_in_between(database: Database) -> None:
    engine = Engine(database, topologies.apps(), codec.add_flow, widest=WIDEST)
    engine.apply(facts())
    log: list[str] = []
    for number in range(1, HOSTS + 1):
        engine.connected(ToldSwitch(f"hv{number}", Table(), log, LINKS), LINKS)
    until(lambda: set(log) == {f"hv{number}" for number in range(1, HOSTS + 1)})
    settled(log)
    log.clear()

    def other() -> None:
        while True:
            log.append("another")
            runtime.sleep()

    thread = runtime.spawn(other)
    try:
        engine.apply(topologies.vm(WIDEST + 2, 7, 7))
        until(lambda: len(set(log)) > HOSTS)
    finally:
        thread.kill()
    told = [name for name in log if name != "another"]
    assert told[0] == "hv7", "the machine's own"
    between = [log[log.index(first):log.index(second)] for first, second in pairwise(told)
               if log.index(first) < log.index(second)]
    assert len(between) >= HOSTS - 1
    assert all("another" in names for names in between)


def test_a_port_that_goes_is_gone_from_its_own_switch_first(database: Database) -> None:
    engine = Engine(database, topologies.apps(), codec.add_flow, widest=WIDEST)
    engine.apply(facts())
    log: list[str] = []
    for number in range(1, HOSTS + 1):
        engine.connected(ToldSwitch(f"hv{number}", Table(), log, LINKS), LINKS)
    until(lambda: set(log) == {f"hv{number}" for number in range(1, HOSTS + 1)})
    settled(log)
    for number in range(2, HOSTS + 2):
        log.clear()
        engine.apply([(Key("vif", f"port{number}"), None)])
        settled(log)
        assert log[0] == f"hv{1 + number % HOSTS}"
        assert len(set(log)) == HOSTS, "it was everywhere"


def settled(log: list[str]) -> None:
    """Wait until no switch has been told anything for a while."""
    told = -1
    while told != len(log):
        told = len(log)
        runtime.sleep(0.1)
