"""The table of bridges to remote sites."""
from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from naas_sdn.db.rows import NetworkRow, Owned, PortRow


class BridgeRow(Owned):
    """`type` and what follows is None until it is configured; `port_id` until it is plugged in.

    `tunnel`: type, endpoint, UDP port and key in one, so that one tunnel has one bridge. `made_port`: the port came
    with the bridge and goes when it is unplugged.
    """

    __tablename__ = "bridges"
    network_id: Mapped[str] = mapped_column(ForeignKey("networks.id"), index=True)
    type: Mapped[str | None] = mapped_column(String(32))
    remote_endpoint: Mapped[str | None] = mapped_column(String(64))
    udp_port: Mapped[int | None]
    key: Mapped[int | None] = mapped_column(BigInteger)
    tunnel: Mapped[str | None] = mapped_column(String(128), unique=True)
    port_id: Mapped[str | None] = mapped_column(ForeignKey("ports.id"), unique=True)
    made_port: Mapped[bool] = mapped_column(default=False)
    network: Mapped[NetworkRow] = relationship()
    port: Mapped[PortRow | None] = relationship()
