"""Traffic of a port or of a set of ports, from the counters that the engine books."""
from __future__ import annotations

from sqlalchemy import ColumnElement, select
from sqlalchemy import func as sql
from sqlalchemy.orm import Session

from naas_sdn.db.rows import CounterRow, PortRow
from naas_sdn.service.contract import Attributes


def total(session: Session, about: Attributes, ports: ColumnElement[bool]) -> Attributes:
    """Bytes and packets of all ports that `ports` selects; in is what was delivered to the machines."""
    rows = session.execute(
        select(CounterRow.direction, sql.sum(CounterRow.octets), sql.sum(CounterRow.packets),
               sql.max(CounterRow.updated_at))
        .join(PortRow, PortRow.id == CounterRow.port_id).where(ports).group_by(CounterRow.direction))
    sums = {direction: (octets, packets, when) for direction, octets, packets, when in rows}
    octets_in, packets_in, when_in = sums.get("in", (0, 0, None))
    octets_out, packets_out, when_out = sums.get("out", (0, 0, None))
    latest = max((when for when in (when_in, when_out) if when is not None), default=None)
    return {"statistics": {
        **about, "bytes_in": octets_in, "packets_in": packets_in, "bytes_out": octets_out,
        "packets_out": packets_out,
        "updated_at": latest.strftime("%Y-%m-%dT%H:%M:%SZ") if latest is not None else None,
    }}
