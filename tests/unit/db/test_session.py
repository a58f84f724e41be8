"""A SQLite database that another process holds: who waits, how long, and that nobody else does."""
from __future__ import annotations

import time

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from naas_sdn import runtime
from naas_sdn.db.rows import KeyRow
from naas_sdn.db.session import FOREVER, Database
from naas_sdn.errors import ServiceUnavailable
from tests.support.locked import locked, path_of


def keys(database: Database) -> int:
    with database.read() as session:
        return session.query(KeyRow).count()


def test_others_run_while_a_transaction_waits(sqlite_database: Database) -> None:
    database = sqlite_database
    assert keys(database) == 0
    with locked(path_of(database)):
        ticks: list[float] = []
        stop = runtime.Signal()

        def tick() -> None:
            while not stop.wait(0.001):
                ticks.append(time.monotonic())

        ticking = runtime.spawn(tick)
        with pytest.raises(ServiceUnavailable, match="database is locked"), database.write(0.5):
            raise AssertionError("it was let in")
        stop.set()
        ticking.wait()
    # SQLite's own waiting would have let it run a few times at the most.
    assert len(ticks) > 20


def test_one_behind_another_that_waits_is_refused_in_time(sqlite_database: Database) -> None:
    database = sqlite_database
    assert keys(database) == 0
    with locked(path_of(database)):
        first = runtime.spawn(write_a_key, database, FOREVER)
        runtime.sleep()
        with pytest.raises(ServiceUnavailable, match=r"busy for 0\.1 s"), database.write(0.1):
            raise AssertionError("it was let in")
        assert keys(database) == 0
    first.wait()
    assert keys(database) == 1


def test_a_patient_one_is_let_in_when_the_other_is_done(sqlite_database: Database) -> None:
    database = sqlite_database
    assert keys(database) == 0
    with locked(path_of(database)):
        waiting = [runtime.spawn(write_a_key, database, FOREVER) for _ in range(5)]
        runtime.sleep(0.1)
    for thread in waiting:
        thread.wait()
    assert keys(database) == 5


def test_a_database_that_fails_in_a_transaction_leaves_nothing(sqlite_database: Database) -> None:
    database = sqlite_database
    with pytest.raises(ServiceUnavailable, match="no such table") as caught, database.write() as session:
        session.add(KeyRow())
        session.flush()
        session.execute(text("SELECT * FROM nowhere"))
    assert isinstance(caught.value.__cause__, OperationalError)
    assert keys(database) == 0
    write_a_key(database, 1)
    assert keys(database) == 1


def write_a_key(database: Database, patience: float) -> None:
    with database.write(patience) as session:
        session.add(KeyRow())
