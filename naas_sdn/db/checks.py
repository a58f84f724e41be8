"""An operator asks about switches, and the controller answers: rows that live as long as the question.

The command that asks runs in a process of its own, and cannot speak to switches.
"""
from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from naas_sdn.db.rows import CheckRow, now

STALE = timedelta(minutes=10)
"""Whoever asked has gone by then."""


def ask(session: Session, hosts: Iterable[str], repair: bool) -> dict[str, str]:
    """The questions, by hypervisor."""
    rows = {host: CheckRow(host=host, repair=repair) for host in hosts}
    session.add_all(rows.values())
    session.flush()
    return {host: row.id for host, row in rows.items()}


def waiting(session: Session) -> list[CheckRow]:
    """Not yet answered, oldest first."""
    return [row for row in session.scalars(select(CheckRow).order_by(CheckRow.created_at)) if row.answer is None]


def answer(session: Session, identifier: str, text: dict[str, Any]) -> None:
    """Lost when nobody waits for it any more."""
    row = session.get(CheckRow, identifier)
    if row is not None:
        row.answer = text


def answered(session: Session, identifiers: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Those of these questions that are, by id."""
    rows = session.scalars(select(CheckRow).where(CheckRow.id.in_(list(identifiers))))
    return {row.id: row.answer for row in rows if row.answer is not None}


def forget(session: Session, identifiers: Iterable[str]) -> None:
    """These questions, and stale ones."""
    gone = set(identifiers)
    for row in session.scalars(select(CheckRow)):
        if row.id in gone or row.created_at < now() - STALE:
            session.delete(row)
