"""Totals per port, hypervisor and metric, kept monotonic across readings of counters that may restart."""
from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from naas_sdn.db.rows import CounterRow, now


class Metric(StrEnum):
    """What is counted; in is to the machine, out is from it."""

    IN = "in"
    OUT = "out"
    LIMIT_IN = "limit_in"           # dropped by the rate limit
    LIMIT_OUT = "limit_out"
    LIMIT_PPS_IN = "limit_pps_in"   # dropped by the packet rate limit
    LIMIT_PPS_OUT = "limit_pps_out"
    LIMIT_PUNT = "limit_punt"       # not sent to the controller: too many
    LIMIT_ANSWER = "limit_answer"   # not answered by the tables: too many
    INTERFACE_IN = "interface_in"   # lost by the switch at the machine's interface
    INTERFACE_OUT = "interface_out"


class Reading(NamedTuple):
    """A counter as the switch shows it now.

    `own` tells that it began with the plugging; one that did not counts from its first reading.
    """

    port_id: str
    host: str
    metric: Metric
    octets: int
    packets: int
    own: bool = True


def book(session: Session, readings: Iterable[Reading]) -> None:
    """Add what is new in each reading to its total."""
    latest = {(reading.port_id, reading.host, reading.metric): reading for reading in readings}
    hosts = {reading.host for reading in latest.values()}
    rows = {(row.port_id, row.host, row.metric): row
            for row in session.scalars(select(CounterRow).where(CounterRow.host.in_(hosts)))}
    when = now()
    for key, reading in latest.items():
        row = rows.get(key)
        if row is None:
            known = (0, 0) if reading.own else (reading.octets, reading.packets)
            row = CounterRow(port_id=reading.port_id, host=reading.host, metric=reading.metric,
                             octets=0, packets=0, last_octets=known[0], last_packets=known[1], updated_at=when)
            session.add(row)
        if (row.last_octets, row.last_packets) == (reading.octets, reading.packets):
            continue
        restarted = reading.packets < row.last_packets or reading.octets < row.last_octets
        row.octets += reading.octets - (0 if restarted else row.last_octets)
        row.packets += reading.packets - (0 if restarted else row.last_packets)
        row.last_octets, row.last_packets, row.updated_at = reading.octets, reading.packets, when
