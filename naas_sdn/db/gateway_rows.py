"""The table of routers' gateways."""
from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from naas_sdn.db.rows import PortRow, Row


class RouterGatewayRow(Row):
    """Where a router leaves the cloud: a port of an external network that is nobody's."""

    __tablename__ = "router_gateways"
    router_id: Mapped[str] = mapped_column(ForeignKey("routers.id"), primary_key=True)
    network_id: Mapped[str] = mapped_column(ForeignKey("networks.id"), index=True)
    port_id: Mapped[str] = mapped_column(ForeignKey("ports.id"), unique=True)
    enable_snat: Mapped[bool] = mapped_column(default=True)
    port: Mapped[PortRow] = relationship()
