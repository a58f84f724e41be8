"""The tables of users and what they may."""
from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from naas_sdn.db.rows import Row, now


class UserRow(Row):
    """`password` is its hash (service/passwords.py)."""

    __tablename__ = "users"
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    password: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(default=now)
    roles: Mapped[list[RoleRow]] = relationship(cascade="all, delete-orphan", lazy="selectin")


class RoleRow(Row):
    """A role of a user in a project."""

    __tablename__ = "user_roles"
    user: Mapped[str] = mapped_column(ForeignKey("users.name", ondelete="CASCADE"), primary_key=True)
    project_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    role: Mapped[str] = mapped_column(String(16), primary_key=True)
