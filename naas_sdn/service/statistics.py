"""Traffic of a port or of a set of ports, and what was dropped on the way, from the counters that the engine books."""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, select
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

Sum = tuple[str, int, int, datetime]
"""A metric's octets, packets, and when they were counted."""

_BY_PORT = select(
    CounterRow.port_id, CounterRow.metric, sql.sum(CounterRow.octets), sql.sum(CounterRow.packets),
    sql.max(CounterRow.updated_at)).where(CounterRow.port_id.in_(bindparam("ids", expanding=True))).group_by(
        CounterRow.port_id, CounterRow.metric)


def total(session: Session, about: Attributes, ports: ColumnElement[bool]) -> Attributes:
    """Bytes and packets of all ports that `ports` selects; in is what was delivered to the machines."""
    rows = session.execute(
        select(CounterRow.metric, sql.sum(CounterRow.octets), sql.sum(CounterRow.packets),
               sql.max(CounterRow.updated_at))
        .join(PortRow, PortRow.id == CounterRow.port_id).where(ports).group_by(CounterRow.metric))
    sums = ((metric, octets, packets, when) for metric, octets, packets, when in rows)
    return {"statistics": {**about, **_shown(sums)}}


def by_port(session: Session, ids: Sequence[str]) -> dict[str, Attributes]:
    """Those of each of these ports, in one statement; zeros of what has sent nothing."""
    found: defaultdict[str, list[Sum]] = defaultdict(list)
    for port_id, metric, octets, packets, when in session.execute(_BY_PORT, {"ids": list(ids)}):
        found[port_id].append((metric, octets, packets, when))
    return {port_id: _shown(found[port_id]) for port_id in ids}


def _shown(sums: Iterable[Sum]) -> Attributes:
    octets, packets, times = dict.fromkeys(Metric, 0), dict.fromkeys(Metric, 0), []
    for metric, summed_octets, summed_packets, when in sums:
        octets[Metric(metric)], packets[Metric(metric)] = int(summed_octets), int(summed_packets)
        times.append(when)
    return {
        "bytes_in": octets[Metric.IN], "packets_in": packets[Metric.IN],
        "bytes_out": octets[Metric.OUT], "packets_out": packets[Metric.OUT],
        "dropped_packets": {name: sum(packets[metric] for metric in metrics) for name, metrics in DROPS.items()},
        "updated_at": max(times).strftime("%Y-%m-%dT%H:%M:%SZ") if times else None,
    }
