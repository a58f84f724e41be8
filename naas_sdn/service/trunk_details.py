"""What trunks mean for ports: what is shown with a parent, and which ports a trunk needs."""
from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import bindparam, literal, select, union_all
from sqlalchemy.orm import Session

from naas_sdn.db.rows import PortRow
from naas_sdn.db.trunk_rows import SubPortRow, TrunkRow
from naas_sdn.errors import PortInUseAsSubPort, PortInUseAsTrunkParent
from naas_sdn.service.contract import Attributes

_DETAILS = select(
    TrunkRow.port_id, TrunkRow.id, SubPortRow.port_id, SubPortRow.segmentation_type, SubPortRow.segmentation_id,
    PortRow.mac_address,
).outerjoin(SubPortRow, SubPortRow.trunk_id == TrunkRow.id).outerjoin(PortRow, PortRow.id == SubPortRow.port_id).where(
    TrunkRow.port_id.in_(bindparam("ids", expanding=True))).order_by(SubPortRow.segmentation_id)
_USES = union_all(
    select(literal("parent"), TrunkRow.id).where(TrunkRow.port_id == bindparam("port_id")),
    select(literal("subport"), SubPortRow.trunk_id).where(SubPortRow.port_id == bindparam("port_id")))


def details_of(session: Session, ids: Iterable[str]) -> dict[str, Attributes]:
    """{port: its trunk_details} of the parents among these ports, in one statement."""
    found: dict[str, Attributes] = {}
    for parent, trunk, port, kind, number, mac in session.execute(_DETAILS, {"ids": list(ids)}):
        details = found.setdefault(parent, {"trunk_id": trunk, "sub_ports": []})
        if port is not None:
            details["sub_ports"].append({"port_id": port, "segmentation_type": kind, "segmentation_id": number,
                                         "mac_address": mac})
    return found


def require_untrunked(session: Session, port_id: str) -> None:
    """Raises PortInUseAsTrunkParent or PortInUseAsSubPort: a trunk's port goes when it has left the trunk."""
    use = session.execute(_USES, {"port_id": port_id}).first()
    if use is None:
        return
    if use[0] == "parent":
        raise PortInUseAsTrunkParent(f"Port {port_id} is currently a parent port for trunk {use[1]}; "
                                     f"delete that first.")
    raise PortInUseAsSubPort(f"Port {port_id} is currently a subport for trunk {use[1]}; remove it from that first.")
