"""The table of floating addresses."""
from __future__ import annotations

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from naas_sdn.db.rows import Owned, PortRow


class FloatingIpRow(Owned):
    """An address of an external network, held by a port that is nobody's, and the machine's address that it stands for.

    The last three are set together, or none of them. It has no name.
    """

    __tablename__ = "floating_ips"
    __table_args__ = (UniqueConstraint("port_id", "fixed_ip_address", "floating_network_id"),)
    floating_network_id: Mapped[str] = mapped_column(ForeignKey("networks.id"), index=True)
    floating_port_id: Mapped[str] = mapped_column(ForeignKey("ports.id"), unique=True)
    floating_ip_address: Mapped[str] = mapped_column(String(64), index=True)
    port_id: Mapped[str | None] = mapped_column(ForeignKey("ports.id"))
    fixed_ip_address: Mapped[str | None] = mapped_column(String(64))
    router_id: Mapped[str | None] = mapped_column(ForeignKey("routers.id"), index=True)
    floating_port: Mapped[PortRow] = relationship(foreign_keys=[floating_port_id])
    port: Mapped[PortRow | None] = relationship(foreign_keys=[port_id])
