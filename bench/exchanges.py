"""DHCP exchanges a second through a real Open vSwitch: DISCOVER, OFFER, REQUEST, ACK, from a hundred machines' cards.

One hypervisor of the Mininet laboratory (root), at 500 and at 50,000 reservations, dnsmasq beside it; then, under the
limits of production, with one machine that floods. Arguments: seconds of each measurement (5), and of reservations the
small and the large number.
"""
from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass

from bench.asking import Order, Outcome
from bench.flooding import probing, starving
from bench.hypervisor import CARDS, Site
from bench.report import Row, cpu, machine, percentile, table
from tests.support.openvswitch import require

RATE = 2500
"""Exchanges a second that are asked for."""

AT_ONCE = 16
ROUNDS = 3

QUIET_RATE = 1000
"""Exchanges a second beside a flood: with the limits of production, so many are within those of all ports together."""

PRODUCTION = {"OS_STATISTICS__INTERVAL": "5"}
LIFTED = {**PRODUCTION, "OS_OPENFLOW__PUNT_RATE": "1000000", "OS_OPENFLOW__SLOWPATH_RATE": "1000000"}
"""Options of the controller: as they are by default, which tests' are not, and without limits."""

GATEWAY = 0x0A000001


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of an Order; the parts of a core are the server's and the switch's."""

    outcome: Outcome
    server: float
    switch: float

    @property
    def rate(self) -> float:
        return len(self.outcome.taken) / self.outcome.elapsed

    @property
    def latency(self) -> str:
        taken = self.outcome.taken
        lost = f", {self.outcome.lost} lost" if self.outcome.lost else ""
        return f"{1000 * percentile(taken, 0.5):.1f} / {1000 * percentile(taken, 0.99):.1f} ms{lost}"

    @property
    def cpu(self) -> str:
        client = self.outcome.cpu / self.outcome.elapsed
        return f"{100 * self.server:.0f} / {100 * client:.0f} / {100 * self.switch:.0f} %"


def measured(site: Site, order: Order, server: int) -> Measured:
    """`server` is a process id."""
    before = cpu(server), cpu(site.switch_pid)
    outcome = site.ask(order)
    # Of the time in which was asked: that in which the client starts and ends would make it less than it is.
    return Measured(outcome, (cpu(server) - before[0]) / outcome.elapsed,
                    (cpu(site.switch_pid) - before[1]) / outcome.elapsed)


def fastest(site: Site, server: int, exchanges: int) -> Measured:
    """The median of some rounds with AT_ONCE at once."""
    rounds = [measured(site, Order("dhcp", site.cards, exchanges, at_once=AT_ONCE), server) for _ in range(ROUNDS)]
    return sorted(rounds, key=lambda found: found.rate)[ROUNDS // 2]


def side_by_side(seconds: float, reservations: int) -> tuple[list[Row], Measured, Measured]:
    """The rows, and of them ours: at RATE, and AT_ONCE."""
    with Site(reservations, LIFTED) as site:
        ours = site.controller.pid
        site.ask(Order("dhcp", site.cards, CARDS))
        paced = measured(site, Order("dhcp", site.cards, int(seconds * RATE), rate=RATE), ours)
        fast = fastest(site, ours, int(seconds * RATE / ROUNDS))
        with site.dnsmasq("br-dns") as pid:
            site.ask(Order("dhcp", site.cards, CARDS))
            theirs = fastest(site, pid, max(CARDS, int(seconds * 100)))
    rows = [
        Row(f"at {RATE:,} a second: came to an end a second", f"{paced.rate:,.0f}", f"{RATE:,}"),
        Row("one exchange, p50 / p99", paced.latency, "p99 25 ms"),
        Row("of a core: controller / client / switch", paced.cpu, "100 % at most"),
        Row(f"{AT_ONCE} at once: exchanges a second", f"{fast.rate:,.0f}"),
        Row("one exchange, p50 / p99", fast.latency),
        Row("of a core: controller / client / switch", fast.cpu),
        Row(f"dnsmasq, {AT_ONCE} at once: exchanges a second", f"{theirs.rate:,.0f}"),
        Row("one exchange, p50 / p99", theirs.latency),
        Row("of a core: dnsmasq / client / switch", theirs.cpu),
    ]
    return rows, paced, fast


def beside_floods(seconds: float, reservations: int) -> list[Row]:
    """All but one machine ask, by DHCP and ARP; the last one does its worst."""
    with Site(reservations, PRODUCTION) as site:
        *honest, (card, mac) = site.cards
        ours = site.controller.pid

        def asked(kind: str) -> Measured:
            return measured(site, Order(kind, honest, int(seconds * QUIET_RATE), rate=QUIET_RATE, target=GATEWAY), ours)

        def rows(what: str, before: dict[str, Measured]) -> tuple[list[Row], dict[str, Measured]]:
            found = {kind: asked(kind) for kind in ("dhcp", "arp")}
            return [row for kind, now in found.items() for row in (
                Row(f"{what}: {kind.upper()} a second", f"{now.rate:,.0f}{_change(before.get(kind), now)}",
                    "10 % less at most" if before else ""),
                Row("p50 / p99", now.latency), Row("of a core: controller / client / switch", now.cpu))], found

        asked("dhcp")
        printed, quiet = rows("nobody floods", {})
        for what, flood in (("starving DHCP", starving(mac)), ("flooding ARP", probing(mac, GATEWAY))):
            began = time.perf_counter()
            with site.flooding(card, flood) as sent:
                made, _ = rows(what, quiet)
            elapsed = time.perf_counter() - began
            printed += [Row(f"{what}: frames a second", f"{sent[0] / elapsed:,.0f}"), *made]
        return printed


def _change(before: Measured | None, now: Measured) -> str:
    return f" ({100 * (now.rate / before.rate - 1):+.1f} %)" if before is not None else ""


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    small, large = (int(sys.argv[2]), int(sys.argv[3])) if len(sys.argv) > 3 else (500, 50_000)
    require("dnsmasq")
    print(machine())
    paced, fast = [], []
    try:
        for reservations in (small, large):
            rows, one, other = side_by_side(seconds, reservations)
            table(f"DHCP, {reservations:,} reservations, {CARDS} machines asking", rows)
            paced.append(one)
            fast.append(other)
        table(f"{large:,} reservations against {small:,}", [
            Row(f"exchanges a second, {AT_ONCE} at once", f"{100 * (fast[1].rate / fast[0].rate - 1):+.1f} %", "10 %"),
            Row(f"controller's CPU at {RATE:,} a second", f"{100 * (paced[1].server / paced[0].server - 1):+.1f} %",
                "10 %")])
        table(f"One machine of {CARDS} floods, limits of production, others ask {QUIET_RATE:,} times a second",
              beside_floods(seconds, small))
    except subprocess.TimeoutExpired as error:
        raise SystemExit(f"the client did not come to an end: {error}") from error


if __name__ == "__main__":
    main()
