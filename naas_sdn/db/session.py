"""Transactions. On SQLite one green thread writes at a time, and nothing in a transaction yields to another."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from naas_sdn import runtime
from naas_sdn.db import journal
from naas_sdn.errors import ConfigurationError

__all__ = ["Database", "Session"]

BUSY = 5.0
"""Seconds that a transaction waits for one of another process."""


class Database:
    """`with db.write() as session:` is one transaction, kept whole or not at all; `read()` one consistent look."""

    def __init__(self, url: str) -> None:
        """`url` as SQLAlchemy spells it; the schema must be there (db/migrations)."""
        self.url = url
        self.on_commit: list[Callable[[], None]] = []
        """Called after every transaction that put something in the journal."""
        # One connection each: a SQLite transaction never yields, so no second reader can be there.
        self._writer = _engine(url, "BEGIN IMMEDIATE")
        self._reader = _engine(url, "BEGIN")
        self._write_lock = runtime.Semaphore(1)
        self._read_lock = runtime.Semaphore(1)

    @contextmanager
    def write(self) -> Iterator[Session]:
        with self._write_lock, Session(self._writer, expire_on_commit=False) as session:
            with session.begin():
                yield session
            changed = bool(journal.recorded(session))
        if changed:
            for nudge in self.on_commit:
                nudge()

    @contextmanager
    def read(self) -> Iterator[Session]:
        with self._read_lock, Session(self._reader, autoflush=False) as session:
            yield session

    def close(self) -> None:
        self._writer.dispose()
        self._reader.dispose()


def _engine(url: str, begin: str) -> Engine:
    """Raises ConfigurationError for a database that is not SQLite."""
    if not url.startswith("sqlite:///"):
        raise ConfigurationError(f"[database] connection is {url!r}; it must be sqlite:////PATH/TO/FILE.")
    engine = create_engine(url, poolclass=StaticPool,
                           connect_args={"timeout": BUSY, "check_same_thread": False, "isolation_level": None})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def take_lock(connection: Connection) -> None:
        # The driver itself would begin at the first write, too late to be sure of the lock.
        connection.exec_driver_sql(begin)

    return engine
