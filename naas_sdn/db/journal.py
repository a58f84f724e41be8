"""What changed, written in the transaction that changed it and read in the order of commits.

Listeners on the flush write it, so whoever changes a row need not remember to; bulk statements would pass them
by, and are refused on journalled tables (`refuse_bulk`).
"""
from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, event, insert, inspect, literal_column, select, tuple_
from sqlalchemy import delete as sql_delete
from sqlalchemy import func as sql
from sqlalchemy.orm import Mapper, Session, UOWTransaction, object_session

from naas_sdn.db.floating_ip_rows import FloatingIpRow
from naas_sdn.db.gateway_rows import RouterGatewayRow, SightingRow
from naas_sdn.db.rows import (
    AllocationRow,
    HypervisorRow,
    HypervisorUplinkRow,
    JournalRow,
    NetworkRow,
    PortRow,
    QosPolicyRow,
    QosRuleRow,
    RouterInterfaceRow,
    RouteRow,
    RouterRow,
    Row,
    SubnetRow,
    TunnelKeyRow,
    VifRow,
)
from naas_sdn.db.security_group_rows import (
    AddressGroupRow,
    PortSecurityGroupRow,
    SecurityGroupRow,
    SecurityGroupRuleRow,
)
from naas_sdn.model.store import sighting_id, uplink_id

UNSEEN = frozenset((
    "name", "description", "created_at", "updated_at", "revision_number", "next_number", "is_default",
    "allocation_pools", "subnetpool_id", "service_types", "acknowledged", "refusal", "alive", "profile", "vnic_type",
    "host_id", "source", "unplugged", "availability_zone", "availability_zone_hints",
    "default_of",
))
"""Columns that no flow depends on. A port's `name` is one: host names come from the address."""


REQUEST = f"{__name__}.request"
"""Where a session's info has the ID of the request that it is for, if any."""


class Position(NamedTuple):
    """How far somebody has read: transaction, entry."""

    xid: int
    seq: int


START = Position(0, 0)


class Entry(NamedTuple):
    position: Position
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
        case HypervisorUplinkRow():
            return "uplink", uplink_id(row.host, row.physical_network)
        case RouterRow():
            return "router", row.id
        case RouterInterfaceRow():
            return "router", row.router_id
        case RouterGatewayRow():
            return "router", row.router_id
        case FloatingIpRow():
            return "floating_ip", row.id
        case SightingRow():
            return "sighting", sighting_id(row.network_id, row.ip_address)
        case RouteRow():
            return "route", row.id
        case QosPolicyRow():
            return "qos_policy", row.id
        case QosRuleRow():
            return "qos_policy", row.policy_id
        case SecurityGroupRow():
            return "security_group", row.id
        case SecurityGroupRuleRow():
            return "security_rule", row.id
        case AddressGroupRow():
            return "address_group", row.id
        case PortSecurityGroupRow():
            return "port", row.port_id
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


_ORDER = tuple_(JournalRow.xid, JournalRow.seq)
_ENTRIES = select(JournalRow.xid, JournalRow.seq, JournalRow.kind, JournalRow.object_id, JournalRow.request_id
                  ).order_by(JournalRow.xid, JournalRow.seq)
_OLDEST_RUNNING: ColumnElement[int] = literal_column("pg_snapshot_xmin(pg_current_snapshot())::text::bigint")


def read(session: Session, after: Position, limit: int = 10_000) -> list[Entry]:
    """What was committed after `after`, oldest first.

    On PostgreSQL what a running transaction will commit may come before what others have committed: only what is older
    than every running transaction is in order for good, and the rest is read when they have ended.
    """
    query = _ENTRIES.where(tuple_(*after) < _ORDER).limit(limit)
    if _is_postgresql(session):
        query = query.where(JournalRow.xid < _OLDEST_RUNNING)
    return [Entry(Position(xid, seq), kind, object_id, request_id)
            for xid, seq, kind, object_id, request_id in session.execute(query)]


def last(session: Session) -> Position:
    """The newest that was committed; what this transaction does not see comes after it."""
    if _is_postgresql(session):
        oldest: int = session.execute(select(_OLDEST_RUNNING)).scalar_one()
        return Position(oldest, 0)
    return Position(0, session.scalar(select(sql.max(JournalRow.seq))) or 0)


def trim(session: Session, upto: Position) -> None:
    """Forget what everybody has read."""
    session.execute(sql_delete(JournalRow).where(tuple_(*upto) >= _ORDER))


def _is_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"
