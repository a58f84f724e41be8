"""The tables of security groups."""
from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from naas_sdn.db.rows import Owned, PortRow, Row, new_id, now

PARENT = "PARENT"
"""The `remote_group_id` of a default rule that is about the group that the rule becomes one of."""


class SecurityGroupRow(Owned):
    """`default_of`: the project whose default group it is, so that a project has one."""

    __tablename__ = "security_groups"
    key: Mapped[int] = mapped_column(unique=True)
    stateful: Mapped[bool] = mapped_column(default=True)
    default_of: Mapped[str | None] = mapped_column(String(255), unique=True)
    rules: Mapped[list[SecurityGroupRuleRow]] = relationship(
        back_populates="group", cascade="all, delete-orphan", foreign_keys="SecurityGroupRuleRow.security_group_id",
        order_by="SecurityGroupRuleRow.created_at, SecurityGroupRuleRow.id")


class AddressGroupRow(Owned):
    """`addresses`: ranges as text, in order; a single address is a range of its own."""

    __tablename__ = "address_groups"
    key: Mapped[int] = mapped_column(unique=True)
    addresses: Mapped[list[Any]]


class SecurityGroupRuleRow(Row):
    """What may pass. None matches anything; ports are the type and the code of ICMP.

    `content` is all that the rule matches on in one spelling, so that a group has it once: direction, ethertype, number
    of the protocol, the two ports, and whom it is about (a range, or the id of a group), "-" where it matches anything.
    """

    __tablename__ = "security_group_rules"
    __table_args__ = (UniqueConstraint("security_group_id", "content"),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    project_id: Mapped[str] = mapped_column(String(255), index=True)
    security_group_id: Mapped[str] = mapped_column(ForeignKey("security_groups.id"))
    direction: Mapped[str] = mapped_column(String(8))
    ethertype: Mapped[str] = mapped_column(String(4))
    protocol: Mapped[str | None] = mapped_column(String(40))
    port_range_min: Mapped[int | None]
    port_range_max: Mapped[int | None]
    remote_ip_prefix: Mapped[str | None] = mapped_column(String(64))
    remote_group_id: Mapped[str | None] = mapped_column(ForeignKey("security_groups.id"), index=True)
    remote_address_group_id: Mapped[str | None] = mapped_column(ForeignKey("address_groups.id"), index=True)
    content: Mapped[str] = mapped_column(String(160))
    description: Mapped[str] = mapped_column(String(255), default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    revision_number: Mapped[int] = mapped_column(default=1)
    group: Mapped[SecurityGroupRow] = relationship(back_populates="rules", foreign_keys=[security_group_id])


class DefaultSecurityGroupRuleRow(Row):
    """A rule that new groups begin with; its columns are as a rule's."""

    __tablename__ = "default_security_group_rules"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    direction: Mapped[str] = mapped_column(String(8))
    ethertype: Mapped[str] = mapped_column(String(4))
    protocol: Mapped[str | None] = mapped_column(String(40))
    port_range_min: Mapped[int | None]
    port_range_max: Mapped[int | None]
    remote_ip_prefix: Mapped[str | None] = mapped_column(String(64))
    remote_group_id: Mapped[str | None] = mapped_column(String(36))
    remote_address_group_id: Mapped[str | None] = mapped_column(ForeignKey("address_groups.id"))
    content: Mapped[str] = mapped_column(String(160), unique=True)
    used_in_default_sg: Mapped[bool] = mapped_column(default=False)
    used_in_non_default_sg: Mapped[bool] = mapped_column(default=True)
    description: Mapped[str] = mapped_column(String(255), default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    revision_number: Mapped[int] = mapped_column(default=1)


class PortSecurityGroupRow(Row):
    """That a port is in a security group; ends with the port, and keeps the group."""

    __tablename__ = "port_security_groups"
    port_id: Mapped[str] = mapped_column(ForeignKey("ports.id", ondelete="CASCADE"), primary_key=True)
    security_group_id: Mapped[str] = mapped_column(ForeignKey("security_groups.id"), primary_key=True, index=True)
    port: Mapped[PortRow] = relationship(back_populates="security_groups")
