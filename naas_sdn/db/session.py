"""Transactions, the same on every database; what differs is in sqlite.py and postgresql.py.

Waiting for a database that another process holds, or that is not there, is done before the transaction, and lets
other green threads run: SQLite's own waiting would stop them all.
"""
from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

import tenacity
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.orm import Session

from naas_sdn import runtime
from naas_sdn.db import announcements, journal, postgresql, sqlite, status  # noqa: F401 - some listen to flushes
from naas_sdn.db.engines import Engines
from naas_sdn.errors import ConfigurationError, InvalidInput, ServiceUnavailable

__all__ = ["FOREVER", "Database", "Session", "writable"]

LOG = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds that a transaction waits for its turn."""

FOREVER = float("inf")
"""The patience of those who have nobody to tell that it did not work."""

PAUSE, LONGEST_PAUSE = 0.001, 0.05
"""Seconds between attempts at a database that does not let us in; doubled each time up to the longest."""

TRIES = 20
"""Of one transaction that meets others. Each time at least one of those has been committed."""

FIRST_WAIT, LONGEST_WAIT = 0.005, 0.2
"""Seconds between tries: by chance, up to the first doubled each time."""

COMMITTING = f"{__name__}.committing"
"""In a session's info: the commit has begun."""

FLUSHING = f"{__name__}.flushing"
"""In a connection's info: a flush uses it, which the journal hears of."""


T = TypeVar("T")


class Interrupted(ServiceUnavailable):
    """A transaction met another, or lost its connection: nothing of it is kept, and it may be run again."""

    type: ClassVar[str] = "ServiceUnavailable"


class UnitOfWork(Session):
    """Tells its connection when it is a flush that writes."""

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        info = self.connection().info
        info[FLUSHING] = True
        try:
            super().flush(objects)
        finally:
            info[FLUSHING] = False


def writable(session: Session) -> bool:
    """Whether its transaction is one that writes."""
    return isinstance(session, UnitOfWork)


class Database:
    """`db.transact(work)` runs `work(session)` in one transaction, kept whole or not at all, again when it must.

    `with db.write() as session:` is one that is not run again; `with db.read() as session:` one consistent look.
    """

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

    def transact(self, work: Callable[[Session], T], patience: float = PATIENCE, request_id: str | None = None) -> T:
        """What `work` returns. It must be as ready to run the second time as the first.

        Raises what `work` does, and as `write` does, after TRIES tries too.
        """
        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Interrupted), stop=tenacity.stop_after_attempt(TRIES),
            wait=tenacity.wait_random_exponential(FIRST_WAIT, LONGEST_WAIT), sleep=runtime.sleep, reraise=True)

        for attempt in tries:
            with attempt, self._write(patience, request_id, again=attempt.retry_state.attempt_number > 1) as session:
                return work(session)
        raise AssertionError("the last try either returned or raised")

    @contextmanager
    def write(self, patience: float = PATIENCE, request_id: str | None = None) -> Iterator[Session]:
        """`request_id`: of the API's request that it is for.

        Raises ServiceUnavailable when its turn does not come within `patience` seconds, or the database fails;
        Interrupted when it may be run again.
        """
        with self._write(patience, request_id) as session:
            yield session

    @contextmanager
    def _write(self, patience: float, request_id: str | None, *, again: bool = False) -> Iterator[Session]:
        with (_turn(self._write_turns, patience) as deadline,
              UnitOfWork(self._engines.writer, expire_on_commit=False,
                         info={announcements.ASKED: self._announcing}) as session):
            session.info[journal.REQUEST] = request_id
            with self._failures(session), session.begin():
                self._begin(session, deadline)
                if again and self._engines.turn is not None:
                    session.execute(text(self._engines.turn))
                yield session
                session.flush()
                session.info[COMMITTING] = True
            changed = bool(journal.recorded(session))
        if changed:
            for nudge in self.on_commit:
                nudge()

    @contextmanager
    def read(self, patience: float = PATIENCE) -> Iterator[Session]:
        """Raises ServiceUnavailable as `write` does."""
        with (_turn(self._read_turns, patience) as deadline,
              Session(self._engines.reader, autoflush=False) as session, self._failures(session)):
            self._begin(session, deadline)
            yield session

    def close(self) -> None:
        self._engines.dispose()

    @contextmanager
    def _failures(self, session: Session) -> Iterator[None]:
        """What a database says when it cannot work now, or not with such values, as ours."""
        try:
            yield
        except DataError as error:
            raise InvalidInput("Invalid input for operation: a value is longer or larger than the database "
                               "holds.") from error
        except DBAPIError as error:
            if self._engines.conflict(error, COMMITTING in session.info):
                raise Interrupted(f"The database cannot do it now: {self._engines.told(error)}.") from error
            if not self._engines.unusable(error):
                raise
            raise self._unavailable(error) from error

    def _unavailable(self, error: DBAPIError) -> ServiceUnavailable:
        # Those who asked are told less: it names hosts, users and values.
        LOG.warning("the database cannot be used: %s", error.orig)
        return ServiceUnavailable(f"The database cannot be used now: {self._engines.told(error)}.")

    def _begin(self, session: Session, deadline: float) -> None:
        """Begin the transaction, as soon as the database lets us. Raises ServiceUnavailable after `deadline`."""
        pause = PAUSE
        while True:
            try:
                session.connection()
            except DBAPIError as error:
                if not self._engines.unusable(error):
                    raise
                if time.monotonic() >= deadline:
                    raise self._unavailable(error) from error
            else:
                return
            runtime.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def _open(url: str) -> Engines:
    """Raises ConfigurationError for a database that is no kind we know."""
    if url.startswith(sqlite.PREFIX):
        return sqlite.open_engines(url)
    where = postgresql.parse(url)
    if where is not None:
        return postgresql.open_engines(where)
    raise ConfigurationError(f"[database] connection is {url!r}; it must be sqlite:////PATH/TO/FILE or "
                             f"postgresql://USER:PASSWORD@HOST/NAME.")


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
