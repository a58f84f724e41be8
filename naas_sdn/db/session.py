"""Transactions, the same on every database; what differs is in sqlite.py and postgresql.py.

Waiting for a database that another process holds, or that is not there, is done before the transaction, and lets
other green threads run: SQLite's own waiting would stop them all.
"""
from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from naas_sdn import runtime
from naas_sdn.db import announcements, journal, sqlite, status  # noqa: F401 - all listen to every flush
from naas_sdn.db.engines import Engines
from naas_sdn.errors import ConfigurationError, ServiceUnavailable

__all__ = ["FOREVER", "Database", "Session"]

PATIENCE = 5.0
"""Seconds that a transaction waits for its turn."""

FOREVER = float("inf")
"""The patience of those who have nobody to tell that it did not work."""

PAUSE, LONGEST_PAUSE = 0.001, 0.05
"""Seconds between attempts at a database that does not let us in; doubled each time up to the longest."""

FLUSHING = f"{__name__}.flushing"
"""In a connection's info: a flush uses it, which the journal hears of."""


class UnitOfWork(Session):
    """Tells its connection when it is a flush that writes."""

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        info = self.connection().info
        info[FLUSHING] = True
        try:
            super().flush(objects)
        finally:
            info[FLUSHING] = False


class Database:
    """`with db.write() as session:` is one transaction, kept whole or not at all; `read()` one consistent look."""

    def __init__(self, url: str, *, announcing: bool = False) -> None:
        """`url` as SQLAlchemy spells it; the schema must be there (db/migrations).

        `announcing`: keep what the compute service is to be told (db/announcements.py). Raises ConfigurationError.
        """
        self.url = url
        self._announcing = announcing
        self.on_commit: list[Callable[[], None]] = []
        """Called after every transaction that put something in the journal."""
        self._engines = _open(url)
        for engine in (self._engines.writer, self._engines.reader):
            event.listen(engine, "before_cursor_execute", _check)
        self._write_turns = runtime.Semaphore(self._engines.writers)
        self._read_turns = runtime.Semaphore(self._engines.readers)

    @contextmanager
    def write(self, patience: float = PATIENCE, request_id: str | None = None) -> Iterator[Session]:
        """`request_id`: of the API's request that it is for.

        Raises ServiceUnavailable when its turn does not come within `patience` seconds, or the database fails.
        """
        with (_turn(self._write_turns, patience) as deadline,
              UnitOfWork(self._engines.writer, expire_on_commit=False,
                         info={announcements.ASKED: self._announcing}) as session):
            session.info[journal.REQUEST] = request_id
            with self._failures(), session.begin():
                self._begin(session, deadline)
                yield session
            changed = bool(journal.recorded(session))
        if changed:
            for nudge in self.on_commit:
                nudge()

    @contextmanager
    def read(self, patience: float = PATIENCE) -> Iterator[Session]:
        """Raises ServiceUnavailable as `write` does."""
        with (_turn(self._read_turns, patience) as deadline,
              Session(self._engines.reader, autoflush=False) as session, self._failures()):
            self._begin(session, deadline)
            yield session

    def close(self) -> None:
        self._engines.dispose()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """What a database says when it cannot work now, as ours."""
        try:
            yield
        except DBAPIError as error:
            if not self._engines.unusable(error):
                raise
            raise ServiceUnavailable(f"The database cannot be used now: {error.orig}.") from error

    def _begin(self, session: Session, deadline: float) -> None:
        """Begin the transaction, as soon as the database lets us. Raises DBAPIError after `deadline`."""
        pause = PAUSE
        while True:
            try:
                session.connection()
            except DBAPIError as error:
                if time.monotonic() >= deadline or not self._engines.unusable(error):
                    raise
            else:
                return
            runtime.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def _open(url: str) -> Engines:
    """Raises ConfigurationError for a database that is no kind we know."""
    if url.startswith(sqlite.PREFIX):
        return sqlite.open_engines(url)
    raise ConfigurationError(f"[database] connection is {url!r}; it must be sqlite:////PATH/TO/FILE.")


@contextmanager
def _turn(turns: runtime.Semaphore, patience: float) -> Iterator[float]:
    """Hold one of them; the moment when patience ends."""
    deadline = time.monotonic() + patience
    if not turns.acquire(timeout=None if patience == FOREVER else patience):
        raise ServiceUnavailable(f"The database was busy for {patience:g} s.")
    try:
        yield deadline
    finally:
        turns.release()


def _check(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
    if not connection.info.get(FLUSHING):
        journal.refuse_bulk(statement)
