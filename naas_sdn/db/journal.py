"""What changed, written in the transaction that changed it and read in the order of commits.

Listeners on the flush write it, so whoever changes a row need not remember to; bulk statements would pass them
by, and are refused on journalled tables (`refuse_bulk`).
"""
from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from sqlalchemy import Connection, event, insert, inspect, select
from sqlalchemy import delete as sql_delete
from sqlalchemy import func as sql
from sqlalchemy.orm import Mapper, Session, UOWTransaction, object_session

from naas_sdn.db.rows import (
    AllocationRow,
    BandwidthLimitRow,
    HypervisorRow,
    JournalRow,
    NetworkRow,
    PortRow,
    QosPolicyRow,
    RouterInterfaceRow,
    RouteRow,
    RouterRow,
    Row,
    SubnetRow,
    TunnelKeyRow,
    VifRow,
)

UNSEEN = frozenset((
    "name", "description", "created_at", "updated_at", "revision_number", "next_number", "is_default",
    "allocation_pools", "subnetpool_id", "acknowledged", "refusal", "alive", "profile", "vnic_type", "host_id",
    "source", "unplugged", "availability_zone", "availability_zone_hints",
))
"""Columns that no flow depends on. A port's `name` is one: host names come from the address."""


REQUEST = f"{__name__}.request"
"""Where a session's info has the ID of the request that it is for, if any."""


class Entry(NamedTuple):
    seq: int
    kind: str
    object_id: str
    request_id: str | None


def subject(row: Row) -> tuple[str, str] | None:
    """The (kind, id) of the fact that this row is part of; None when it is part of none."""
    match row:
        case NetworkRow():
            return "network", row.id
        case TunnelKeyRow():
            return "network", row.network_id
        case SubnetRow():
            return "subnet", row.id
        case PortRow():
            return "port", row.id
        case AllocationRow():
            return "port", row.port_id
        case VifRow():
            return "vif", row.port_id
        case HypervisorRow():
            return "hypervisor", row.name
        case RouterRow():
            return "router", row.id
        case RouterInterfaceRow():
            return "router", row.router_id
        case RouteRow():
            return "route", row.id
        case QosPolicyRow():
            return "qos_policy", row.id
        case BandwidthLimitRow():
            return "qos_policy", row.policy_id
        case _:
            return None


def recorded(session: Session) -> set[tuple[str, str]]:
    """The subjects that this session's flushes have journalled so far."""
    subjects: set[tuple[str, str]] = session.info.setdefault(__name__, set())
    return subjects


# Events of the mapper: the session's own lists do not have what a delete-orphan cascade removes.
@event.listens_for(Row, "after_insert", propagate=True)
@event.listens_for(Row, "after_delete", propagate=True)
def _made_or_gone(_mapper: Mapper[Row], _connection: Connection, row: Row) -> None:
    _record(row)


@event.listens_for(Row, "after_update", propagate=True)
def _changed(_mapper: Mapper[Row], _connection: Connection, row: Row) -> None:
    if _seen(row):
        _record(row)


def _record(row: Row) -> None:
    key, session = subject(row), object_session(row)
    if key is None or session is None or key in recorded(session):
        return
    recorded(session).add(key)
    _unwritten(session).append({"kind": key[0], "object_id": key[1], "request_id": session.info.get(REQUEST)})


@event.listens_for(Session, "after_flush")
def _write(session: Session, _: UOWTransaction) -> None:
    entries = _unwritten(session)
    if entries:
        session.connection().execute(_INSERT, entries)
        entries.clear()


_INSERT = insert(JournalRow)
_UNWRITTEN = f"{__name__}.unwritten"


def _unwritten(session: Session) -> list[dict[str, str | None]]:
    """What the flush under way has recorded, for one statement at its end."""
    entries: list[dict[str, str | None]] = session.info.setdefault(_UNWRITTEN, [])
    return entries


def _seen(row: Row) -> bool:
    state = inspect(row)
    # Only what was assigned can have changed; to ask for the history of every column takes longer than the UPDATE.
    return any(state.attrs[name].history.has_changes() for name in state.committed_state
               if name in state.mapper.column_attrs and name not in UNSEEN)


_WRITES = re.compile(r"\b(?:INTO|DELETE\s+FROM|UPDATE(?:\s+OR\s+\w+)?)\s+[\"'`\[]?(\w+)", re.IGNORECASE)


def refuse_bulk(statement: str) -> None:
    """Raise RuntimeError for SQL that writes to a journalled table: only a flush tells the journal of it."""
    if statement.startswith("SELECT"):
        return
    for table in _WRITES.findall(statement):
        if table.lower() in _journalled():
            raise RuntimeError(f"the journal would not hear of this change of {table}: {statement}")


@cache
def _journalled() -> frozenset[str]:
    """The names of the tables whose rows are part of facts."""
    return frozenset(mapper.class_.__tablename__ for mapper in Row.registry.mappers
                     if subject(mapper.class_()) is not None)


def read(session: Session, after: int, limit: int = 10_000) -> list[Entry]:
    """What was committed after `after`, oldest first."""
    rows = session.execute(select(JournalRow.seq, JournalRow.kind, JournalRow.object_id, JournalRow.request_id)
                           .where(JournalRow.seq > after).order_by(JournalRow.seq).limit(limit))
    return [Entry(*row) for row in rows]


def last(session: Session) -> int:
    """The newest `seq`, 0 when there is none."""
    return session.scalar(select(sql.max(JournalRow.seq))) or 0


def trim(session: Session, upto: int) -> None:
    """Forget what everybody has read."""
    session.execute(sql_delete(JournalRow).where(JournalRow.seq <= upto))
