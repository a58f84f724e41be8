"""That a loop of the controller still turns, for whoever asks in another process."""
from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from naas_sdn.db.rows import HeartbeatRow, now

DISPATCHER = "dispatcher"
"""The loop that hands what was committed to the plugins, which compile it."""


def beat(session: Session, name: str) -> None:
    row = session.get(HeartbeatRow, name)
    if row is None:
        session.add(HeartbeatRow(name=name, beat_at=now()))
    else:
        row.beat_at = now()


def age(session: Session, name: str) -> timedelta | None:
    """Since the last beat; None before the first."""
    row = session.get(HeartbeatRow, name)
    return None if row is None else now() - row.beat_at
