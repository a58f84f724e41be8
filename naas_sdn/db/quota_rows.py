"""The tables of quotas."""
from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from naas_sdn.db.rows import Row


class QuotaRow(Row):
    """How many of a resource one project may have, where that is not the default; -1: any number."""

    __tablename__ = "quotas"
    project_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    resource: Mapped[str] = mapped_column(String(32), primary_key=True)
    hard_limit: Mapped[int]


class QuotaTurnRow(Row):
    """What a transaction that may reach a limit holds until it ends; `turns` counts them."""

    __tablename__ = "quota_turns"
    project_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    resource: Mapped[str] = mapped_column(String(32), primary_key=True)
    turns: Mapped[int]
