"""Which interface of which hypervisor a port is plugged to: by the API, by the name that a switch reports, by a trunk.

`plugging` counts: every plug, and every time the interface goes away. A port is ACTIVE when its switch has acknowledged
the present count, so a count that moves on is DOWN until it is acknowledged again. A trunk's subports are plugged where
its parent is, each on its VLAN.
"""
from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import bindparam, literal, select, union_all
from sqlalchemy.orm import Session, joinedload

from naas_sdn.db.rows import HypervisorRow, PortRow, VifRow
from naas_sdn.db.trunk_rows import SubPortRow, TrunkRow
from naas_sdn.errors import (
    HypervisorNotFound,
    InterfaceInUse,
    InvalidInput,
    PortInUse,
    VifNotFound,
)
from naas_sdn.model.values import BRIDGE_PORT
from naas_sdn.service.rows import touch

TAP = re.compile(r"tap[0-9a-f]{8}-[0-9a-f]{2}")
"""How Nova and libvirt name an interface: "tap" and the first 11 characters of the port's UUID."""

INTERFACE = re.compile(r"[^\s/\x00-\x1f\x7f]{1,15}")
LAST_SLOT = 32767
OF_THE_CLOUD = ("network:", BRIDGE_PORT)
"""How the device owners of ports begin that no interface is plugged to."""
BRIDGE = "br-int"
"""The integration bridge; its own interface has its name."""
API = "api"
TRUNK = "trunk"
"""The source of a VIF that is there because its trunk's parent is."""
VNIC_TYPE = "normal"
"""What can be plugged to a switch; others are devices that no flow reaches."""

_HYPERVISOR = select(HypervisorRow).where(HypervisorRow.name == bindparam("name"))
_VIFS = select(VifRow.interface, VifRow.vlan, VifRow.port_id, VifRow.slot).where(VifRow.host == bindparam("host"))

_TRUNKED = union_all(
    select(SubPortRow.trunk_id.label("trunk"), literal(0).label("number")).where(
        SubPortRow.port_id == bindparam("port_id")),
    select(TrunkRow.id, literal(1)).where(TrunkRow.port_id == bindparam("port_id")))
"""The trunk that a port is of, and whether it is the parent."""
_SUBPORTS = select(PortRow, SubPortRow.segmentation_id).join(SubPortRow.port).join(SubPortRow.trunk).where(
    TrunkRow.port_id == bindparam("parent")).options(joinedload(PortRow.vif)).order_by(SubPortRow.segmentation_id)

Place = tuple[str, int]
"""An interface, and a VLAN on it or 0."""


def require_plain_interface(interface: str, reserved: Collection[str]) -> None:
    """Raises InvalidInput for what is no interface's name, or the name of one of the switch's own."""
    if not INTERFACE.fullmatch(interface):
        raise InvalidInput(f"Invalid input for interface: {interface!r} is not an interface name "
                           f"(1 to 15 printable characters).")
    if interface in reserved:
        raise InvalidInput(f"Invalid input for interface: {interface} is the switch's own, no machine's.")


def plug(session: Session, port: PortRow, host: str, interface: str, source: str = API, *, vlan: int = 0) -> VifRow:
    """Attach the port to a machine's interface, or to one VLAN on it. Plugging it again where it is changes nothing.

    Raises HypervisorNotFound, InterfaceInUse (another port is there), PortInUse (it is plugged elsewhere) and
    InvalidInput.
    """
    if port.device_owner.startswith(OF_THE_CLOUD):
        raise InvalidInput(f"Port {port.id} belongs to the cloud itself ({port.device_owner}); "
                           f"nothing can be plugged into it.")
    trunk = session.execute(_TRUNKED, {"port_id": port.id}).first() if source != TRUNK else None
    if trunk is not None and not trunk.number:
        raise PortInUse(f"Port {port.id} is the subport of a trunk, which has it on its parent's interface; nothing "
                        f"else can be plugged into it.")
    if port.vnic_type != VNIC_TYPE:
        raise InvalidInput(f"Port {port.id} has binding:vnic_type {port.vnic_type}; an interface of the switch is "
                           f"{VNIC_TYPE}.")
    hypervisor = session.scalar(_HYPERVISOR, {"name": host})
    if hypervisor is None:
        raise HypervisorNotFound(host)
    vifs = _vifs_of(session, host)
    holder = vifs.get((interface, vlan), (port.id, 0))[0]
    if holder != port.id:
        raise InterfaceInUse(f"{named(interface, vlan)} of hypervisor {host} is plugged to port {holder}; "
                             f"unplug that one first.")
    if port.vif is not None and (interface, vlan) in vifs:
        return port.vif
    if port.vif is not None:
        raise PortInUse(f"Port {port.id} is plugged to {named(port.vif.interface, port.vif.vlan)} of hypervisor "
                        f"{port.vif.host}; unplug it first.")
    port.vif = VifRow(port_id=port.id, hypervisor=hypervisor, host=host, interface=interface, vlan=vlan,
                      slot=_free_slot(host, vifs), source=source)
    port.host_id, port.unplugged = host, False
    touch(port)
    session.flush()
    if trunk is not None:
        follow(session, port)
    return port.vif


def follow(session: Session, parent: PortRow) -> None:
    """The subports of the trunk whose parent this port is come and go with its interface. Raises as `plug` does."""
    subports = session.execute(_SUBPORTS, {"parent": parent.id}).all()
    for port, vlan in subports:
        carry(session, port, vlan, parent.vif)


def carry(session: Session, port: PortRow, vlan: int, on: VifRow | None) -> None:
    """Have a subport on VLAN `vlan` of its parent's interface, or (None) nowhere. Raises as `plug` does."""
    if port.vif is not None and on is not None and (port.vif.host, port.vif.interface) == (on.host, on.interface):
        return
    if port.vif is not None:
        port.vif, port.host_id = None, ""
        touch(port)
        session.flush()
    if on is not None:
        plug(session, port, on.host, on.interface, TRUNK, vlan=vlan)


def unplug(session: Session, port: PortRow) -> None:
    """It stays so, its interface there or not, until the API plugs the port or binds it to a host.

    Raises VifNotFound when nothing is plugged, PortInUse for a trunk's subport.
    """
    if port.vif is None:
        raise VifNotFound(f"of port {port.id}")
    if port.vif.source == TRUNK:
        raise PortInUse(f"Port {port.id} is the subport of a trunk, on its parent's interface; remove it from that.")
    port.vif = None
    port.host_id, port.unplugged = "", True
    touch(port)
    session.flush()
    follow(session, port)


def named(interface: str, vlan: int) -> str:
    return f"VLAN {vlan} of interface {interface}" if vlan else f"Interface {interface}"


def _vifs_of(session: Session, host: str) -> dict[Place, tuple[str, int]]:
    """{place: (port id, slot)} of a hypervisor."""
    return {(interface, vlan): (port_id, slot)
            for interface, vlan, port_id, slot in session.execute(_VIFS, {"host": host})}


def _free_slot(host: str, vifs: Mapping[Place, tuple[str, int]]) -> int:
    """The lowest number that no VIF of the hypervisor has (it names meters and a conntrack zone)."""
    used = {slot for _, slot in vifs.values()}
    slot = next(number for number in range(1, len(used) + 2) if number not in used)
    if slot > LAST_SLOT:
        raise InterfaceInUse(f"Hypervisor {host} has {LAST_SLOT} VIFs, and no more fit.")
    return slot


def interfaces_reported(session: Session, host: str, interfaces: Iterable[str]) -> None:
    """Bring the VIFs of a hypervisor in line with the interfaces that its switch has now.

    A `tap` name plugs its port when that is bound to this hypervisor, or to none and not unplugged. A second claim is
    refused and shown on the VIF that stands, unless that one's interface is gone.
    """
    present = set(interfaces)
    vifs = list(session.scalars(select(VifRow).where(VifRow.host == host)))
    for vif in vifs:
        if vif.interface not in present and vif.acknowledged == vif.plugging:
            vif.plugging += 1
            _changed(vif)
    known = {vif.interface for vif in vifs}
    for interface in sorted(present - known):
        if TAP.fullmatch(interface):
            _claim(session, host, interface)


def _claim(session: Session, host: str, interface: str) -> None:
    ports = list(session.scalars(select(PortRow).where(PortRow.id.startswith(interface[3:], autoescape=True)).limit(2)))
    if len(ports) != 1 or ports[0].device_owner.startswith(OF_THE_CLOUD) or ports[0].vnic_type != VNIC_TYPE:
        return
    port = ports[0]
    vif = port.vif
    if vif is None:
        if port.host_id == host or (port.host_id == "" and not port.unplugged):
            plug(session, port, host, interface, "switch")
        return
    if port.host_id == host or (vif.acknowledged != vif.plugging and port.host_id == ""):
        vif.host, vif.interface, vif.slot = host, interface, _free_slot(host, _vifs_of(session, host))
        vif.plugging += 1
        vif.refusal = ""
        follow(session, port)
    else:
        vif.refusal = f"hypervisor {host} has an interface {interface} too; the port is bound to {port.host_id}"
    _changed(vif)


def _changed(vif: VifRow) -> None:
    touch(vif)
