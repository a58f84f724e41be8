"""What the compute service has yet to be told of its servers' ports, and what it was told.

Whatever can change a port's status leaves a look in its own transaction; what is told is the difference of the status
now and the status told. So a crash loses nothing, and tells at most the last batch twice.
"""
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, event, insert, inspect, select
from sqlalchemy.orm import Mapper, Session, UOWTransaction, joinedload, object_session

from naas_sdn.db import status
from naas_sdn.db.rows import ComputeLookRow, ComputeToldRow, HypervisorRow, ObjectErrorRow, PortRow, Row, VifRow

ASKED = f"{__name__}.asked"
"""In the `info` of sessions whose changes are to be told."""

LOOK, CHANGED, DELETED = "look", "changed", "deleted"
BATCH = 200
"""Looks of one batch at the most."""

COMPUTE = "compute:"
SERVER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_WATCHED: Mapping[type[Row], tuple[str, ...]] = {
    PortRow: ("admin_state_up", "device_id", "device_owner"),
    VifRow: ("plugging", "acknowledged", "host"),
    HypervisorRow: ("alive",),
}
"""The columns that a port's status is joined from."""


@dataclass(frozen=True, slots=True)
class Event:
    """One of Nova's external events; `status` "" for those that have none."""

    name: str
    server: str
    port_id: str
    status: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """`told`, when it has been: {port id: (server, status), None for a port that is no server's}."""

    events: tuple[Event, ...]
    looks: tuple[int, ...]
    told: Mapping[str, tuple[str, str] | None]


def changed(session: Session, port: PortRow) -> None:
    """The API changed something of the port."""
    if session.info.get(ASKED) and port.device_owner.startswith(COMPUTE):
        session.add(ComputeLookRow(what=CHANGED, port_id=port.id, server=port.device_id))


def due(session: Session) -> Due:
    """The oldest batch."""
    looks = list(session.scalars(select(ComputeLookRow).order_by(ComputeLookRow.seq).limit(BATCH)))
    hosts = {look.host for look in looks if look.host}
    ids = {look.port_id for look in looks if look.port_id}
    if hosts:
        ids.update(session.scalars(select(VifRow.port_id).where(VifRow.host.in_(hosts))))
    if not ids:
        return Due((), tuple(look.seq for look in looks), {})
    ports = session.scalars(select(PortRow).where(PortRow.id.in_(ids), PortRow.device_owner.startswith(COMPUTE))
                            .options(joinedload(PortRow.vif).joinedload(VifRow.hypervisor)))
    errors = status.errors_of(session, "port", ids)
    known = {row.port_id: row for row in session.scalars(select(ComputeToldRow).where(ComputeToldRow.port_id.in_(ids)))}
    events: dict[Event, None] = {}
    told: dict[str, tuple[str, str] | None] = dict.fromkeys(known)
    for port in ports:
        server = port.device_id
        if not SERVER.fullmatch(server):
            continue
        row = known.get(port.id)
        before = row.status if row is not None and row.server == server else status.DOWN
        now = status.port_status(port, errors.get(port.id))
        told[port.id] = server, now
        if now != before and (now != status.DOWN or before == status.ACTIVE):
            events[_transition(server, port.id, now)] = None
    for look in looks:
        if look.what != LOOK and look.port_id and SERVER.fullmatch(look.server):
            name = "network-changed" if look.what == CHANGED else "network-vif-deleted"
            events[Event(name, look.server, look.port_id)] = None
    return Due(tuple(events), tuple(look.seq for look in looks), told)


def done(session: Session, batch: Due) -> None:
    """The compute service has heard of these."""
    session.execute(delete(ComputeLookRow).where(ComputeLookRow.seq.in_(batch.looks)))
    gone = [port_id for port_id, state in batch.told.items() if state is None]
    if gone:
        session.execute(delete(ComputeToldRow).where(ComputeToldRow.port_id.in_(gone)))
    for port_id, state in batch.told.items():
        if state is not None:
            session.merge(ComputeToldRow(port_id=port_id, server=state[0], status=state[1]))


def _transition(server: str, port_id: str, now: str) -> Event:
    if now == status.DOWN:
        return Event("network-vif-unplugged", server, port_id, "completed")
    return Event("network-vif-plugged", server, port_id, "failed" if now == status.ERROR else "completed")


@event.listens_for(PortRow, "after_update")
@event.listens_for(VifRow, "after_update")
@event.listens_for(HypervisorRow, "after_update")
def _updated(_mapper: Mapper[Row], _connection: Connection, row: Row) -> None:
    attributes = inspect(row).attrs
    if any(attributes[name].history.has_changes() for name in _WATCHED[type(row)]):
        _look(row)


@event.listens_for(PortRow, "after_delete")
@event.listens_for(VifRow, "after_delete")
@event.listens_for(ObjectErrorRow, "after_insert")
@event.listens_for(ObjectErrorRow, "after_delete")
def _come_or_gone(_mapper: Mapper[Row], _connection: Connection, row: Row) -> None:
    _look(row, DELETED if isinstance(row, PortRow) else LOOK)


def _look(row: Row, what: str = LOOK) -> None:
    session = object_session(row)
    if session is None or not session.info.get(ASKED):
        return
    entry: dict[str, str | None] = {"what": what, "port_id": None, "host": None, "server": ""}
    match row:
        case PortRow() if row.device_owner.startswith(COMPUTE) or what != DELETED:
            entry |= {"port_id": row.id, "server": row.device_id}
        case VifRow():
            entry["port_id"] = row.port_id
        case HypervisorRow():
            entry["host"] = row.name
        case ObjectErrorRow() if row.kind == "port":
            entry["port_id"] = row.object_id
        case _:
            return
    _unwritten(session).append(entry)


@event.listens_for(Session, "after_flush")
def _write(session: Session, _: UOWTransaction) -> None:
    entries = _unwritten(session)
    if entries:
        session.connection().execute(_INSERT, entries)
        entries.clear()


_INSERT = insert(ComputeLookRow)
_UNWRITTEN = f"{__name__}.unwritten"


def _unwritten(session: Session) -> list[dict[str, str | None]]:
    """What the flush under way has seen, for one statement at its end."""
    entries: list[dict[str, str | None]] = session.info.setdefault(_UNWRITTEN, [])
    return entries
