"""What only PostgreSQL does: transactions that run at once, and a server that goes away."""
from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text

from naas_sdn import runtime
from naas_sdn.db import journal, postgresql
from naas_sdn.db import session as session_module
from naas_sdn.db.load import load_all
from naas_sdn.db.migrations import migrate
from naas_sdn.db.rows import HeartbeatRow, KeyRow, NetworkRow, QosPolicyRow, now
from naas_sdn.db.session import TRIES, Database, Session
from naas_sdn.errors import ConfigurationError, InvalidInput, ServiceUnavailable
from tests.support.database import Cloud, opened
from tests.support.postgresql import Cluster


@pytest.fixture
def database(postgresql: Cluster) -> Iterator[Database]:
    with postgresql.database() as url, opened(url) as made:
        yield made


def policy(session: Session, name: str) -> None:
    session.add(QosPolicyRow(id=name, project_id="p"))
    session.flush()


def entries(database: Database, after: journal.Position) -> list[str]:
    with database.read() as session:
        return [entry.object_id for entry in journal.read(session, after)]


def test_what_commits_late_is_not_skipped(database: Database) -> None:
    """An open transaction has the lower number: what others have committed since waits for it."""
    with database.read() as session:
        start = journal.last(session)
    with database.write() as slow:
        policy(slow, "first")
        with database.write() as quick:
            policy(quick, "second")
        assert entries(database, start) == []
        with database.read() as session:
            meanwhile = journal.last(session)
        with database.write() as quick:
            policy(quick, "third")
    assert entries(database, start) == ["first", "second", "third"]
    # Whoever loads everything meanwhile has seen the second only, and hears of the others.
    assert {"first", "third"} <= set(entries(database, meanwhile))


def test_a_transaction_that_only_reads_delays_nobody(database: Database) -> None:
    with database.read() as session:
        start = journal.last(session)
        with database.write() as writer:
            policy(writer, "first")
        assert entries(database, start) == ["first"]


def test_what_was_read_is_forgotten_and_nothing_else(database: Database) -> None:
    for name in ("first", "second"):
        with database.write() as session:
            policy(session, name)
    with database.read() as session:
        first, _ = journal.read(session, journal.START)
    with database.write() as session:
        journal.trim(session, first.position)
    assert entries(database, journal.START) == ["second"]


def test_others_run_while_a_statement_does(database: Database) -> None:
    ticks: list[float] = []

    def tick() -> None:
        while True:
            runtime.sleep(0.001)
            ticks.append(time.monotonic())

    ticking = runtime.spawn(tick)
    with database.read() as session:
        session.execute(text("SELECT pg_sleep(0.2)"))
    ticking.kill()
    assert len(ticks) > 20


def test_one_that_meets_another_is_run_again(database: Database) -> None:
    """Both read the sum and write it: one of them must see what the other wrote."""
    with database.write() as session:
        session.add(NetworkRow(id="n", project_id="p", mtu=0))
    tries: list[int] = []

    def add(session: Session) -> None:
        row = session.get_one(NetworkRow, "n")
        tries.append(row.mtu)
        runtime.sleep(0.01)
        row.mtu += 1

    threads = [runtime.spawn(database.transact, add) for _ in range(8)]
    for thread in threads:
        thread.wait()
    with database.read() as session:
        assert session.get_one(NetworkRow, "n").mtu == 8
    assert len(tries) > 8


def test_many_processes_at_one_row_all_get_their_turn(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each database is opened as by a process of its own. Without turns some would meet others at every try."""
    monkeypatch.setattr(session_module, "TRIES", 6)
    with database.write() as session:
        session.add(NetworkRow(id="n", project_id="p", mtu=0))

    def add(session: Session) -> None:
        row = session.get_one(NetworkRow, "n")
        runtime.sleep(0.002)
        row.mtu += 1

    with ExitStack() as stack:
        others = [stack.enter_context(opened(database.url)) for _ in range(12)]
        threads = [runtime.spawn(other.transact, add, 60.0) for other in others for _ in range(6)]
        for thread in threads:
            thread.wait()
    with database.read() as session:
        assert session.get_one(NetworkRow, "n").mtu == 72


def test_a_key_that_is_taken_meanwhile_is_seen_the_next_time(database: Database) -> None:
    def beat(session: Session) -> bool:
        if session.get(HeartbeatRow, "x") is not None:
            return False
        runtime.sleep(0.05)
        session.add(HeartbeatRow(name="x", beat_at=now()))
        return True

    threads = [runtime.spawn(database.transact, beat) for _ in range(3)]
    assert sorted(thread.wait() for thread in threads) == [False, False, True]


def test_it_is_given_up_in_the_end(database: Database) -> None:
    tries: list[int] = []

    def collide(session: Session) -> None:
        tries.append(1)
        session.add_all([HeartbeatRow(name="x", beat_at=now())])
        session.flush()
        session.connection().exec_driver_sql("INSERT INTO heartbeats VALUES ('x', now())")

    with pytest.raises(ServiceUnavailable, match="SQLSTATE 23505") as caught:
        database.transact(collide)
    assert "Key (name)" not in str(caught.value)
    assert caught.value.type == "ServiceUnavailable"
    assert len(tries) == TRIES


def test_mistakes_are_not_run_again(database: Database) -> None:
    tries: list[int] = []

    def mistake(_: Session) -> None:
        tries.append(1)
        raise ValueError("a mistake")

    with pytest.raises(ValueError, match="a mistake"):
        database.transact(mistake)
    assert tries == [1]


def test_a_value_that_does_not_fit_is_the_client_s_mistake(database: Database) -> None:
    for name, mtu in (("n" * 37, 1500), ("n", 1 << 40)):
        with pytest.raises(InvalidInput, match="longer or larger"), database.write() as session:
            session.add(NetworkRow(id=name, project_id="p", mtu=mtu))


def test_a_connection_that_is_lost(database: Database) -> None:
    """Before the commit the transaction is run again; at the commit nobody knows whether it was kept."""
    killed: list[int] = []

    def once(session: Session) -> None:
        session.add(KeyRow())
        session.flush()
        if not killed:
            killed.append(1)
            kill(database, session)
        session.add(KeyRow())

    database.transact(once)
    with database.read() as session:
        assert session.query(KeyRow).count() == 2
    with pytest.raises(ServiceUnavailable, match="cannot be used"), database.write() as session:
        session.add(KeyRow())
        session.flush()
        kill(database, session)
    with database.read() as session:
        assert session.query(KeyRow).count() == 2


def kill(database: Database, session: Session) -> None:
    """End the session's connection, as the server does when it is stopped."""
    backend = session.scalar(text("SELECT pg_backend_pid()"))
    with database.write() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": backend})


def add_key(session: Session) -> None:
    session.add(KeyRow())


def test_a_server_that_is_away_and_back() -> None:
    cluster = Cluster()
    try:
        with cluster.database() as url, opened(url) as database:
            with database.read() as session:
                assert session.query(KeyRow).count() == 0
            cluster.stop()
            for attempt in (database.read, database.write):
                began = time.monotonic()
                with pytest.raises(ServiceUnavailable, match="there is no connection"), attempt(0.2):
                    raise AssertionError("it was let in")
                assert time.monotonic() - began < 5
            began = time.monotonic()
            with pytest.raises(ServiceUnavailable, match="there is no connection"):
                database.transact(add_key, 0.2)
            assert time.monotonic() - began < 5
            patient = runtime.spawn(database.transact, add_key, 60.0)
            runtime.sleep(0.2)
            cluster.start()
            patient.wait()
            with database.read() as session:
                assert session.query(KeyRow).count() == 1
    finally:
        cluster.close()


def test_a_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch,
                                                   caplog: pytest.LogCaptureFixture) -> None:
    sock = runtime.listen("127.0.0.1", 0)
    monkeypatch.setattr("naas_sdn.db.postgresql.CONNECT", 0.2)
    database = Database(f"postgresql://somebody@127.0.0.1:{sock.getsockname()[1]}/naas")
    began = time.monotonic()
    with pytest.raises(ServiceUnavailable, match="there is no connection"), database.read(0.1):
        raise AssertionError("it was let in")
    assert time.monotonic() - began < 3
    assert "no connection within" in caplog.text
    database.close()
    sock.close()


def test_text_sorts_by_bytes_or_the_database_is_refused(postgresql: Cluster) -> None:
    postgresql.execute("CREATE DATABASE sorted TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en'")
    with pytest.raises(ConfigurationError, match="--locale=C sorted"):
        migrate(postgresql.url("sorted"))


def test_a_password_is_not_told() -> None:
    with pytest.raises(ConfigurationError) as caught:
        migrate("postgresql://naas:secret@127.0.0.1:1/naas")
    assert "secret" not in str(caught.value)
    assert "naas:***@127.0.0.1:1/naas" in str(caught.value)


def test_a_dump_is_restored_whole(postgresql: Cluster) -> None:
    """Into a cluster whose transactions have other numbers: what is in the journal is looked at again at the most."""
    fresh = Cluster()
    try:
        with postgresql.database() as url, opened(url) as database:
            cloud = Cloud(database)
            network, _ = cloud.network()
            cloud.port(network, "hv1")
            with database.read() as session:
                before = dict(load_all(session))
            dump = postgresql.run("pg_dump", "--dbname", url.replace("+psycopg2", ""))
        with fresh.database(empty=True) as url:
            fresh.run("psql", "-q", "-v", "ON_ERROR_STOP=1", url.replace("+psycopg2", ""), given=dump)
            with opened(url) as database:
                with database.read() as session:
                    assert dict(load_all(session)) == before
                    start = journal.last(session)
                with database.write() as session:
                    policy(session, "new")
                assert entries(database, start)[-1:] == ["new"]
    finally:
        fresh.close()


def test_two_who_migrate_at_once(postgresql: Cluster, tmp_path: Path) -> None:
    with postgresql.database(empty=True) as url:
        file = tmp_path / "naas.conf"
        file.write_text(f"[database]\nconnection = {url}\n")
        command = [sys.executable, "-m", "naas_sdn", "db", "upgrade", "--config-file", str(file)]
        for process in [subprocess.Popen(command, stdin=subprocess.DEVNULL) for _ in range(2)]:
            assert process.wait(60) == 0
        with opened(url) as database, database.read() as session:
            assert session.query(KeyRow).count() == 0


def test_a_server_that_remembers_too_little_of_reads_is_told_of(
        database: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is at its default here."""
    where = postgresql.parse(database.url)
    assert where is not None
    postgresql.advise(where)
    assert "max_pred_locks_per_transaction = 64" in caplog.text
    caplog.clear()
    monkeypatch.setattr(postgresql, "LOCKS", 64)
    postgresql.advise(where)
    assert caplog.text == ""
