"""Transactions. On SQLite one green thread writes at a time, and nothing in a transaction yields to another.

Waiting for a database that another process holds is done before the transaction, and lets other green threads run:
SQLite's own waiting would stop them all.
"""
from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from naas_sdn import runtime
from naas_sdn.db import announcements, journal, security_group_rows, status  # noqa: F401 - all that rows and flushes need
from naas_sdn.errors import ConfigurationError, ServiceUnavailable

__all__ = ["FOREVER", "Database", "Session", "writable"]

PATIENCE = 5.0
"""Seconds that a transaction waits for its turn."""

FOREVER = float("inf")
"""The patience of those who have nobody to tell that it did not work."""

PAUSE, LONGEST_PAUSE = 0.001, 0.05
"""Seconds between attempts at a database that another process holds; doubled each time up to the longest."""


class UnitOfWork(Session):
    """Knows when it is a flush that writes, which the journal hears of."""

    flushing = False

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        self.flushing = True
        try:
            super().flush(objects)
        finally:
            self.flushing = False


def writable(session: Session) -> bool:
    """Whether its transaction is one that writes."""
    return isinstance(session, UnitOfWork)


class Database:
    """`with db.write() as session:` is one transaction, kept whole or not at all; `read()` one consistent look."""

    def __init__(self, url: str, *, announcing: bool = False) -> None:
        """`url` as SQLAlchemy spells it; the schema must be there (db/migrations).

        `announcing`: keep what the compute service is to be told (db/announcements.py).
        """
        self.url = url
        self._announcing = announcing
        self.on_commit: list[Callable[[], None]] = []
        """Called after every transaction that put something in the journal."""
        # One connection each: a SQLite transaction never yields, so no second reader can be there.
        self._writer = _engine(url, "BEGIN IMMEDIATE")
        self._reader = _engine(url, "BEGIN", "PRAGMA schema_version")
        self._writing: UnitOfWork | None = None
        for engine in (self._writer, self._reader):
            event.listen(engine, "before_cursor_execute", self._check)
        self._write_lock = runtime.Semaphore(1)
        self._read_lock = runtime.Semaphore(1)

    @contextmanager
    def write(self, patience: float = PATIENCE, request_id: str | None = None) -> Iterator[Session]:
        """`request_id`: of the API's request that it is for.

        Raises ServiceUnavailable when its turn does not come within `patience` seconds, or the database fails.
        """
        with (_turn(self._write_lock, patience) as deadline,
              UnitOfWork(self._writer, expire_on_commit=False,
                         info={announcements.ASKED: self._announcing}) as session):
            self._writing = session
            session.info[journal.REQUEST] = request_id
            with _failures(), session.begin():
                _begin(session, deadline)
                yield session
            changed = bool(journal.recorded(session))
        if changed:
            for nudge in self.on_commit:
                nudge()

    @contextmanager
    def read(self, patience: float = PATIENCE) -> Iterator[Session]:
        """Raises ServiceUnavailable as `write` does."""
        with (_turn(self._read_lock, patience) as deadline, Session(self._reader, autoflush=False) as session,
              _failures()):
            _begin(session, deadline)
            yield session

    def _check(self, _connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if self._writing is None or not self._writing.flushing:
            journal.refuse_bulk(statement)

    def close(self) -> None:
        self._writer.dispose()
        self._reader.dispose()


@contextmanager
def _turn(lock: runtime.Semaphore, patience: float) -> Iterator[float]:
    """Hold the lock; the moment when patience ends."""
    deadline = time.monotonic() + patience
    if not lock.acquire(timeout=None if patience == FOREVER else patience):
        raise ServiceUnavailable(f"The database was busy for {patience:g} s.")
    try:
        yield deadline
    finally:
        lock.release()


@contextmanager
def _failures() -> Iterator[None]:
    """What SQLite says when it cannot work now (locked, full, unreadable), as ours."""
    try:
        yield
    except OperationalError as error:
        raise ServiceUnavailable(f"The database cannot be used now: {error.orig}.") from error


def _begin(session: Session, deadline: float) -> None:
    """Begin the transaction, as soon as the database lets us. Raises OperationalError after `deadline`."""
    pause = PAUSE
    while True:
        try:
            session.connection()
        except OperationalError:
            if time.monotonic() >= deadline:
                raise
        else:
            return
        runtime.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def _engine(url: str, *begin: str) -> Engine:
    """`begin`: the statements that begin a transaction and take its lock, so that no later one finds it taken.

    Raises ConfigurationError for a database that is not SQLite.
    """
    if not url.startswith("sqlite:///"):
        raise ConfigurationError(f"[database] connection is {url!r}; it must be sqlite:////PATH/TO/FILE.")
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
