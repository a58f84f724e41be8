"""Where a port is bound, and what the compute service there is told of its interface."""
from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from naas_sdn.db.rows import PortBindingRow, PortRow
from naas_sdn.errors import PortInUse
from naas_sdn.service import plugging
from naas_sdn.service.plugging import BRIDGE, VNIC_TYPE
from naas_sdn.service.uplinks import Place

UNBOUND: Mapping[str, Any] = {"vif_type": "unbound", "vif_details": {}}


def vif_details(bridge: str = BRIDGE, datapath_type: str = "system") -> dict[str, Any]:
    """What Nova and os-vif read of every port that is bound: the interface goes straight to the bridge."""
    return {"connectivity": "l2", "port_filter": True, "ovs_hybrid_plug": False, "ovs_create_tap": True,
            "datapath_type": datapath_type, "bridge_name": bridge, "bound_drivers": {"0": "openvswitch"}}


def vif_of(place: Place, vnic_type: str, reached: Collection[Place], details: dict[str, Any]) -> Mapping[str, Any]:
    """`vif_type` and `vif_details` of a port bound to a host, which can be one of `reached` with its network only."""
    if not place[0]:
        return UNBOUND
    if place not in reached or vnic_type != VNIC_TYPE:
        return {"vif_type": "binding_failed", "vif_details": {}}
    return {"vif_type": "ovs", "vif_details": details}


def bind(session: Session, port: PortRow, host: str) -> None:
    """To this host, which is no other binding of the port's then; "" for none.

    What is plugged on another is not this port any more.
    """
    if host not in ("", port.host_id):
        session.execute(delete(PortBindingRow).where(PortBindingRow.port_id == port.id, PortBindingRow.host == host))
    port.host_id = host
    if port.vif is not None and host not in ("", port.vif.host):
        port.vif = None
        session.flush()
        plugging.follow(session, port)


def set_vnic_type(port: PortRow, vnic_type: str) -> None:
    """Raises PortInUse for another one while the port is bound."""
    if vnic_type != port.vnic_type and port.host_id:
        raise PortInUse(f"Unable to complete operation on port {port.id}: it is bound to {port.host_id}; unbind it "
                        f"before its vnic_type is changed.")
    port.vnic_type = vnic_type
