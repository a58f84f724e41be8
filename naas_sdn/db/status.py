"""What the data plane tells the database: acknowledgements, liveness, and what could not be realised.

A port's status is never stored. It is joined from what was plugged, what was acknowledged, and whether the
hypervisor is alive, so it cannot stay wrong, and a dead hypervisor is one update.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, and_, bindparam, delete, event, or_, select
from sqlalchemy.orm import Mapper, Session

from naas_sdn.db.journal import subject
from naas_sdn.db.rows import (
    AgentRow,
    HypervisorRow,
    HypervisorUplinkRow,
    ObjectErrorRow,
    Owned,
    PortRow,
    TunnelKeyRow,
    VifRow,
    now,
)
from naas_sdn.model.values import FLOATING_IP, ROUTER_GATEWAY

ACTIVE, DOWN, ERROR = "ACTIVE", "DOWN", "ERROR"


def acknowledge(session: Session, plugged: Mapping[str, int]) -> None:
    """The switch holds all flows of these ports' pluggings: {port id: plugging}."""
    for row in session.scalars(select(VifRow).where(VifRow.port_id.in_(list(plugged)))):
        if row.plugging == plugged[row.port_id]:
            row.acknowledged = row.plugging


def set_alive(session: Session, host: str, alive: bool) -> None:
    """Its switch is connected and in step, or is not. One that comes is an agent again, if it was deleted."""
    row = session.scalar(select(HypervisorRow).where(HypervisorRow.name == host))
    if row is not None and row.alive != alive:
        row.alive = alive
        if alive:
            row.agent = row.agent or AgentRow()
            row.agent.started_at = now()
        elif row.agent is not None:
            row.agent.lost_at = now()


def report_error(session: Session, kind: str, object_id: str, source: str, reason: str | None) -> None:
    """`source` could not realise the object for this reason; None: it can now."""
    row = session.get(ObjectErrorRow, (kind, object_id, source))
    if reason is None:
        if row is not None:
            session.delete(row)
    elif row is None:
        session.add(ObjectErrorRow(kind=kind, object_id=object_id, source=source, reason=reason[:1000]))
    else:
        row.reason = reason[:1000]


def replace_errors(session: Session, source: str, errors: Mapping[tuple[str, str], str]) -> None:
    """`errors` is all that `source` cannot realise now: {(kind, object id): reason}."""
    known = session.scalars(select(ObjectErrorRow).where(ObjectErrorRow.source == source))
    for key in {(row.kind, row.object_id) for row in known} - errors.keys():
        report_error(session, *key, source, None)
    for key, reason in errors.items():
        report_error(session, *key, source, reason)


@event.listens_for(Owned, "after_delete", propagate=True)
@event.listens_for(HypervisorRow, "after_delete")
def _forget_errors(_: Mapper[Owned | HypervisorRow], connection: Connection, row: Owned | HypervisorRow) -> None:
    """Errors end with their object, and with the hypervisor that told them."""
    named = subject(row)
    if named is None:
        return
    ended = [and_(ObjectErrorRow.kind == named[0], ObjectErrorRow.object_id == named[1])]
    if isinstance(row, HypervisorRow):
        ended.append(ObjectErrorRow.source == row.name)
    connection.execute(delete(ObjectErrorRow).where(or_(*ended)))


_ERRORS = select(ObjectErrorRow.object_id, ObjectErrorRow.reason).where(
    ObjectErrorRow.kind == bindparam("kind"), ObjectErrorRow.object_id.in_(bindparam("ids", expanding=True))).order_by(
    ObjectErrorRow.source)


def errors_of(session: Session, kind: str, ids: Iterable[str]) -> dict[str, str]:
    """{object id: reasons} of those that have any."""
    found: dict[str, str] = {}
    for object_id, reason in session.execute(_ERRORS, {"kind": kind, "ids": list(ids)}):
        found[object_id] = f"{found[object_id]}; {reason}" if object_id in found else reason
    return found


def led_to(session: Session, networks: Iterable[str]) -> set[str]:
    """Those of these networks that are on a physical network with the uplink of a hypervisor that is alive."""
    return set(session.scalars(_LED_TO, {"networks": list(networks)}))


_LED_TO = select(TunnelKeyRow.network_id).distinct().join(
    HypervisorUplinkRow, HypervisorUplinkRow.physical_network == TunnelKeyRow.physical_network).join(
    HypervisorRow, HypervisorRow.name == HypervisorUplinkRow.host).where(
    HypervisorRow.alive.is_(True), TunnelKeyRow.network_id.in_(bindparam("networks", expanding=True)))


def port_status(row: PortRow, error: str | None) -> str:
    """ACTIVE means that the port forwards. Routers' and service ports have no VIF: the tables answer for them, but for
    those on external networks."""
    if error is not None:
        return ERROR
    if not row.admin_state_up:
        return DOWN
    if row.device_owner.startswith("network:"):
        return DOWN if row.device_owner in (ROUTER_GATEWAY, FLOATING_IP) else ACTIVE
    vif = row.vif
    if vif is None or vif.acknowledged != vif.plugging or not vif.hypervisor.alive:
        return DOWN
    return ACTIVE
