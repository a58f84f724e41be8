"""A private PostgreSQL: a cluster in a directory of its own, on a Unix socket, gone with the process that started it.

What its databases hold is lost with the machine's power (fsync is off), which no test minds.
"""
from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from sqlalchemy import URL, create_engine, text
from sqlalchemy.pool import NullPool

from naas_sdn.db.migrations import migrate

PROGRAMS = "/usr/lib/postgresql/*/bin"
READY = 30.0
"""Seconds that it may take to start."""

SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off",
            "listen_addresses": "", "max_connections": "200", "shared_buffers": "64MB", "max_wal_size": "2GB",
            "max_prepared_transactions": "2", "logging_collector": "off"}
TEMPLATE = "naas_template"
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "autovacuum": "on",
           "max_pred_locks_per_transaction": "1024"}
"""As in production, for what is measured."""
USER = "naas"
"""Who owns the databases, and may do nothing else."""


class Cluster:
    """`url(name)` is of a database of it."""

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        """`settings`: besides SETTINGS.

        Raises RuntimeError when the package postgresql is not installed, or it does not start.
        """
        self._settings = {**SETTINGS, **(settings or {})}
        found = sorted(Path("/").glob(f"{PROGRAMS[1:]}/initdb"))
        if not found:
            raise RuntimeError(f"no initdb in {PROGRAMS}: install Debian's package postgresql")
        self._programs = found[-1].parent
        self._directory = Path(tempfile.mkdtemp(prefix="naas-pg-"))
        self._data = self._directory / "data"
        # It refuses to run as root.
        self._user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:
            shutil.chown(self._directory, self._user)
        self._process: subprocess.Popen[bytes] | None = None
        self._names = count(1)
        self.run("initdb", "-D", str(self._data), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C",
                  "--no-sync")
        self.start()
        self.execute(f"CREATE ROLE {USER} LOGIN")

    def url(self, name: str, user: str = USER) -> str:
        return URL.create("postgresql+psycopg2", username=user, database=name,
                          query={"host": str(self._directory)}).render_as_string()

    def start(self) -> None:
        """Raises RuntimeError with the log's end when it does not take connections."""
        log = self._directory / "log"
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                self._command("postgres", "-D", str(self._data), "-k", str(self._directory), *options),
                stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        deadline = time.monotonic() + READY
        while subprocess.run([str(self._programs / "pg_isready"), "-q", "-h", str(self._directory)],
                             check=False).returncode:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"PostgreSQL does not start: {log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends all connections; SIGQUIT is a crash."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(30)

    def close(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._directory, ignore_errors=True)

    def execute(self, *statements: str) -> None:
        """As the superuser, each by itself."""
        engine = create_engine(self.url("postgres", "postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))

    @contextmanager
    def database(self, *, empty: bool = False) -> Iterator[str]:
        """The URL of a new database, migrated unless `empty`; it is dropped at the end."""
        name = f"naas_{next(self._names)}"
        self.execute(f"CREATE DATABASE {name} OWNER {USER} TEMPLATE {'template0' if empty else self._template()}")
        try:
            yield self.url(name)
        finally:
            if self._process is not None:
                self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _template(self) -> str:
        engine = create_engine(self.url("postgres"), poolclass=NullPool)
        with engine.connect() as connection:
            known = connection.scalar(text("SELECT count(*) FROM pg_database WHERE datname = :name"),
                                      {"name": TEMPLATE})
        if not known:
            self.execute(f"CREATE DATABASE {TEMPLATE} OWNER {USER} TEMPLATE template0")
            migrate(self.url(TEMPLATE))
        return TEMPLATE

    def run(self, program: str, *arguments: str, given: str = "") -> str:
        """What one of PostgreSQL's programs prints, `given` this. Raises RuntimeError."""
        done = subprocess.run(self._command(program, *arguments), capture_output=True, text=True, check=False,
                              input=given)
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr[-2000:]}")
        return done.stdout

    def _command(self, program: str, *arguments: str) -> list[str]:
        """One that ends with this process, whatever ends that."""
        user = [f"--reuid={self._user}", f"--regid={self._user}", "--init-groups"] if os.geteuid() == 0 else []
        return ["setpriv", *user, "--pdeathsig", "INT", str(self._programs / program), *arguments]
