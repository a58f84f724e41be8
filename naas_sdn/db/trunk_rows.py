"""The tables of trunks."""
from __future__ import annotations

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from naas_sdn.db.rows import Owned, PortRow, Row


class TrunkRow(Owned):
    """`port_id`: the parent, whose interface carries the subports' traffic with their tags."""

    __tablename__ = "trunks"
    port_id: Mapped[str] = mapped_column(ForeignKey("ports.id"), unique=True)
    admin_state_up: Mapped[bool] = mapped_column(default=True)
    port: Mapped[PortRow] = relationship()
    sub_ports: Mapped[list[SubPortRow]] = relationship(
        back_populates="trunk", cascade="all, delete-orphan", order_by="SubPortRow.segmentation_id")


class SubPortRow(Row):
    """A port of one trunk at most. `segmentation_id` is its VLAN on the parent's interface."""

    __tablename__ = "subports"
    __table_args__ = (UniqueConstraint("trunk_id", "segmentation_type", "segmentation_id"),)
    port_id: Mapped[str] = mapped_column(ForeignKey("ports.id"), primary_key=True)
    trunk_id: Mapped[str] = mapped_column(ForeignKey("trunks.id"), index=True)
    segmentation_type: Mapped[str] = mapped_column(String(8))
    segmentation_id: Mapped[int]
    trunk: Mapped[TrunkRow] = relationship(back_populates="sub_ports")
    port: Mapped[PortRow] = relationship()
