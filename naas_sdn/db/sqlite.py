"""SQLite: one file, one writer.

A transaction takes its lock when it begins, so none meets another later, and it never yields to another green thread,
so one connection for writing and one for reading suffice.
"""
from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import StaticPool

from naas_sdn.db.engines import Engines

PREFIX = "sqlite:///"


def open_engines(url: str) -> Engines:
    """Of the file that `url` names."""
    # The read lock is taken by reading: BEGIN alone takes none.
    return Engines(_engine(url, "BEGIN IMMEDIATE"), _engine(url, "BEGIN", "PRAGMA schema_version"), 1, 1,
                   _unusable, _conflict, _told)


def _unusable(error: DBAPIError) -> bool:
    """Locked, full, unreadable."""
    return isinstance(error, OperationalError)


def _conflict(error: DBAPIError, committing: bool) -> bool:
    return False


def _told(error: DBAPIError) -> str:
    return str(error.orig)


def _engine(url: str, *begin: str) -> Engine:
    """`begin`: the statements that begin a transaction and take its lock, so that no later one finds it taken."""
    engine = create_engine(url, poolclass=StaticPool,
                           connect_args={"timeout": 0, "check_same_thread": False, "isolation_level": None})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def take_lock(connection: Connection) -> None:
        # The driver itself would begin at the first write, too late to be sure of the lock.
        for statement in begin:
            connection.exec_driver_sql(statement)

    return engine
