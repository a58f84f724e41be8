"""Traffic of a port or of a set of ports, and what was dropped on the way, from the counters that the engine books."""
from __future__ import annotations

from sqlalchemy import ColumnElement, select
from sqlalchemy import func as sql
from sqlalchemy.orm import Session

from naas_sdn.db.counters import Metric
from naas_sdn.db.rows import CounterRow, PortRow
from naas_sdn.service.contract import Attributes

DROPS = {
    "rate_limit_in": (Metric.LIMIT_IN, Metric.LIMIT_PPS_IN), "rate_limit_out": (Metric.LIMIT_OUT, Metric.LIMIT_PPS_OUT),
    "punt_limit": (Metric.LIMIT_PUNT,), "answer_limit": (Metric.LIMIT_ANSWER,),
    "interface_in": (Metric.INTERFACE_IN,), "interface_out": (Metric.INTERFACE_OUT,),
}
"""What the answer calls them."""


def total(session: Session, about: Attributes, ports: ColumnElement[bool]) -> Attributes:
    """Bytes and packets of all ports that `ports` selects; in is what was delivered to the machines."""
    rows = session.execute(
        select(CounterRow.metric, sql.sum(CounterRow.octets), sql.sum(CounterRow.packets),
               sql.max(CounterRow.updated_at))
        .join(PortRow, PortRow.id == CounterRow.port_id).where(ports).group_by(CounterRow.metric))
    octets, packets, times = dict.fromkeys(Metric, 0), dict.fromkeys(Metric, 0), []
    for metric, summed_octets, summed_packets, when in rows:
        octets[Metric(metric)], packets[Metric(metric)] = int(summed_octets), int(summed_packets)
        times.append(when)
    return {"statistics": {
        **about, "bytes_in": octets[Metric.IN], "packets_in": packets[Metric.IN],
        "bytes_out": octets[Metric.OUT], "packets_out": packets[Metric.OUT],
        "dropped_packets": {name: sum(packets[metric] for metric in metrics) for name, metrics in DROPS.items()},
        "updated_at": max(times).strftime("%Y-%m-%dT%H:%M:%SZ") if times else None,
    }}
