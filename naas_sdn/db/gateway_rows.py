"""The tables of routers' gateways, and of who has the gateways' own next hops."""
from __future__ import annotations

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from naas_sdn.db.rows import PortRow, Row


class RouterGatewayRow(Row):
    """Where a router leaves the cloud: a port of an external network that is nobody's."""

    __tablename__ = "router_gateways"
    router_id: Mapped[str] = mapped_column(ForeignKey("routers.id"), primary_key=True)
    network_id: Mapped[str] = mapped_column(ForeignKey("networks.id"), index=True)
    port_id: Mapped[str] = mapped_column(ForeignKey("ports.id"), unique=True)
    slot: Mapped[int] = mapped_column(unique=True)
    enable_snat: Mapped[bool] = mapped_column(default=True)
    port: Mapped[PortRow] = relationship()


class SightingRow(Row):
    """Who answered on a physical network for the gateway of an external network's subnet."""

    __tablename__ = "sightings"
    network_id: Mapped[str] = mapped_column(ForeignKey("networks.id", ondelete="CASCADE"), primary_key=True)
    ip_address: Mapped[str] = mapped_column(String(64), primary_key=True)
    mac_address: Mapped[str] = mapped_column(String(32))
