"""Traffic totals per port, hypervisor and direction, kept monotonic across readings of counters that may restart."""
from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from naas_sdn.db.rows import CounterRow


class Reading(NamedTuple):
    """A flow counter as the switch shows it now; `direction` is "in" or "out" as seen from the machine."""

    port_id: str
    host: str
    direction: str
    octets: int
    packets: int


def book(session: Session, readings: Iterable[Reading]) -> None:
    """Add what is new in each reading to its total."""
    latest = {(reading.port_id, reading.host, reading.direction): reading for reading in readings}
    hosts = {reading.host for reading in latest.values()}
    rows = {(row.port_id, row.host, row.direction): row
            for row in session.scalars(select(CounterRow).where(CounterRow.host.in_(hosts)))}
    now = datetime.now(UTC)
    for key, reading in latest.items():
        row = rows.get(key)
        if row is None:
            row = CounterRow(port_id=reading.port_id, host=reading.host, direction=reading.direction,
                             octets=0, packets=0, last_octets=0, last_packets=0, updated_at=now)
            session.add(row)
        if (row.last_octets, row.last_packets) == (reading.octets, reading.packets):
            continue
        restarted = reading.packets < row.last_packets or reading.octets < row.last_octets
        row.octets += reading.octets - (0 if restarted else row.last_octets)
        row.packets += reading.packets - (0 if restarted else row.last_packets)
        row.last_octets, row.last_packets, row.updated_at = reading.octets, reading.packets, now
