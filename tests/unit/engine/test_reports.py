"""What the engine tells the database arrives whole and in order, whatever the database does meanwhile."""
from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from naas_sdn import runtime
from naas_sdn.db import status
from naas_sdn.db.session import Database, Session
from naas_sdn.engine import reports
from naas_sdn.engine.reports import Reports
from tests.support.fleet import until
from tests.support.locked import locked, path_of


def error(name: str) -> Callable[[Session], None]:
    return lambda session: status.report_error(session, "port", name, "test", "wrong")


def told(database: Database) -> set[str]:
    with database.read() as session:
        return set(status.errors_of(session, "port", map(str, range(100))))


def test_nothing_is_lost_while_the_database_is_held(sqlite_database: Database) -> None:
    database = sqlite_database
    made = Reports(database)
    assert told(database) == set()
    with locked(path_of(database)):
        for number in range(50):
            made.put(error(str(number)), lambda: None)
        runtime.sleep(0.1)
        assert told(database) == set()
    until(lambda: told(database) == set(map(str, range(50))))


def test_one_mistake_spoils_no_other_report(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "RETRY", 0.01)
    made, again = Reports(database), runtime.Signal()

    def mistake(_: Session) -> None:
        raise ValueError("a mistake")

    for number in range(20):
        made.put(mistake if number == 7 else error(str(number)), again.set)
    until(lambda: told(database) == set(map(str, range(20))) - {"7"})
    assert again.wait(5)


def test_the_order_is_kept(database: Database) -> None:
    made, seen = Reports(database), list[int]()
    for number in range(100):
        made.put(lambda _, number=number: seen.append(number), lambda: None)  # type: ignore[misc]
    until(lambda: len(seen) == 100)
    assert seen == list(range(100))


def test_others_have_their_turn_between_batches(database: Database) -> None:
    """Hundreds of hypervisors may be booked as gone at once; packets are answered all the while."""
    made, written, turns = Reports(database), list[int](), list[int]()
    for number in range(10 * reports.BATCH):
        made.put(lambda _, number=number: written.append(number), lambda: None)  # type: ignore[misc]
    while len(written) < 10 * reports.BATCH:
        runtime.sleep()
        turns.append(len(written))
    assert max(after - before for before, after in pairwise([0, *turns])) <= reports.BATCH
