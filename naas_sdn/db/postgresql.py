"""PostgreSQL: many transactions at once, each as if it were alone (SERIALIZABLE), or told to begin again.

The driver, psycopg2, lets other green threads run while it waits: eventlet gives it a wait callback (runtime.py).
"""
from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import URL, Dialect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError

from naas_sdn import runtime
from naas_sdn.db.engines import Engines
from naas_sdn.errors import ConfigurationError

LOG = logging.getLogger(__name__)

DRIVER = "postgresql+psycopg2"
"""Named, for what `postgresql` alone means differs between versions of SQLAlchemy."""

WRITERS, READERS = 2, 4
"""Transactions, and so connections, of one process. More writers meet one another more often than they save time."""

LOCKS = 1024
"""max_pred_locks_per_transaction: of a table, a transaction's reads are told from others' writes by up to half as many
pages; one that has read more has read all of it, and meets whoever writes there. A quota reads a project's ports."""

CONNECT = 5.0
"""Seconds that a new connection may take; libpq's own limit does not hold where others run meanwhile."""

SETTINGS = {
    # An API process that is stopped in a transaction would hold the journal's readers and other writers.
    "idle_in_transaction_session_timeout": "30s",
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "timezone": "UTC",
    # What a serialisable transaction has read is remembered by page of an index, but by whole tables without one.
    "enable_seqscan": "off",
    # A page of somebody's objects is a few look-ups. To merge them with an index of everybody's reads that whole index,
    # and looks cheaper where pages are taken to come from a disk that turns.
    "enable_mergejoin": "off",
    "random_page_cost": "1.1",
    "jit": "off",
}

CONNECTION = {"application_name": "naas-sdn", "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3,
              "tcp_user_timeout": 10_000}
"""A server whose host is gone is noticed in so many (milli)seconds."""

TURN = "LOCK TABLE keys IN SHARE UPDATE EXCLUSIVE MODE"
"""Conflicts with itself only, not with what writes rows; and comes before the snapshot, which no SELECT would."""

CONFLICTS = frozenset(("40001", "40P01", "23505", "23503"))
"""Serialisation failure, deadlock; a row with that key, or a row referred to, came or went meanwhile."""

UNUSABLE = ("08", "25006", "42P01", "53", "55", "57", "58", "XX")
"""Beginnings of SQLSTATE: no connection; a standby; no schema; no resources; locked; stopped; the system; damaged."""

BY_BYTES = frozenset(("C", "POSIX", "C.UTF-8", "C.utf8"))

LOST = ("08", "57P")


def parse(url: str) -> URL | None:
    """None for one of another kind of database, or driver."""
    try:
        where = make_url(url)
    except ArgumentError:
        return None
    return where.set(drivername=DRIVER) if where.drivername in ("postgresql", DRIVER) else None


def open_engines(url: URL) -> Engines:
    """Raises ConfigurationError when the driver is not installed."""
    return Engines(_engine(url, WRITERS, "SERIALIZABLE"),
                   _engine(url, READERS, "REPEATABLE READ", postgresql_readonly=True),
                   WRITERS, READERS, _unusable, _conflict, _told, TURN)


def require_order(url: URL) -> None:
    """Text must sort by its bytes, as on SQLite: pages of lists and their markers rely on it.

    Raises ConfigurationError, or SQLAlchemyError when it cannot be asked.
    """
    engine = _engine(url, 1, "AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            encoding, provider, collation = connection.execute(text(
                "SELECT pg_encoding_to_char(encoding), datlocprovider::text, datcollate FROM pg_database "
                "WHERE datname = current_database()")).one()
    finally:
        engine.dispose()
    if encoding != "UTF8" or provider != "c" or collation not in BY_BYTES:
        raise ConfigurationError(
            f"Database {url.database} has encoding {encoding} and collation {collation}; it must be made by "
            f"createdb --template=template0 --encoding=UTF8 --locale=C {url.database}.")


def advise(url: URL) -> None:
    """Say in the log what makes transactions meet more often than they need."""
    engine = _engine(url, 1, "AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            locks = connection.execute(text(
                "SELECT current_setting('max_pred_locks_per_transaction')::int")).scalar_one()
    finally:
        engine.dispose()
    if locks < LOCKS:
        LOG.warning("PostgreSQL has max_pred_locks_per_transaction = %d; with less than %d, requests of projects with "
                    "many ports stop each other", locks, LOCKS)


def _engine(url: URL, connections: int, isolation: Any, **options: Any) -> Engine:
    arguments: dict[str, Any] = {**CONNECTION, "options": " ".join(f"-c {name}={value}" for name, value
                                                                   in SETTINGS.items())}
    try:
        engine = create_engine(
            url, pool_size=connections, max_overflow=0, pool_pre_ping=True, isolation_level=isolation,
            execution_options=options,
            connect_args={name: value for name, value in arguments.items() if name not in url.query})
    except ImportError as error:
        raise ConfigurationError(f"[database] connection is of PostgreSQL, whose driver is not installed ({error}): "
                                 f"pip install 'naas-sdn[postgresql]'.") from error

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Dialect, _: Any, positional: list[Any], named: dict[str, Any]) -> Any:
        driver: Any = dialect.loaded_dbapi
        with runtime.Timeout(CONNECT, driver.OperationalError(f"no connection within {CONNECT:g} s")):
            return driver.connect(*positional, **named)

    return engine


def _state(error: DBAPIError) -> str | None:
    """SQLSTATE; None when the server did not say."""
    return getattr(error.orig, "pgcode", None)


def _lost(error: DBAPIError) -> bool:
    state = _state(error)
    if state is None:
        return error.connection_invalidated or isinstance(error, (InterfaceError, OperationalError))
    return state.startswith(LOST)


def _unusable(error: DBAPIError) -> bool:
    return _lost(error) or (_state(error) or "").startswith(UNUSABLE)


def _conflict(error: DBAPIError, committing: bool) -> bool:
    """Not when the connection is lost at the commit: nobody knows then whether the server has done it."""
    return _state(error) in CONFLICTS or (_lost(error) and not committing)


def _told(error: DBAPIError) -> str:
    """Not its message, which names hosts, users and others' values."""
    state = _state(error)
    return "there is no connection" if state is None else f"SQLSTATE {state}"
