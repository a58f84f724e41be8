"""Writes down who has the gateway addresses of external networks."""
from __future__ import annotations

from sqlalchemy.orm import Session

from naas_sdn.db.gateway_rows import SightingRow
from naas_sdn.db.load import mac_of
from naas_sdn.db.rows import NetworkRow


def sight(session: Session, network_id: str, ip: str, mac: int | None) -> None:
    """This MAC has the address; None: nobody."""
    row = session.get(SightingRow, (network_id, ip))
    if mac is None:
        if row is not None:
            session.delete(row)
    elif row is not None:
        row.mac_address = mac_of(mac)
    elif session.get(NetworkRow, network_id) is not None:
        session.add(SightingRow(network_id=network_id, ip_address=ip, mac_address=mac_of(mac)))
