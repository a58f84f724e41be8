"""What one kind of database has that another has not: its engines, and what its errors mean."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

Verdict = Callable[[DBAPIError], bool]


@dataclass(frozen=True, slots=True)
class Engines:
    """`writers`, `readers`: so many transactions of each at once, on as many connections.

    `unusable`: that error tells of the database, not of the statement. `conflict`: nothing of that transaction is
    kept, and it may succeed when it is run again; told whether it was committing. `told`: what tenants may read of it.
    `turn`: the statement by which a transaction that is run again waits for others that are; None: none is.
    """

    writer: Engine
    reader: Engine
    writers: int
    readers: int
    unusable: Verdict
    conflict: Callable[[DBAPIError, bool], bool]
    told: Callable[[DBAPIError], str]
    turn: str | None = None

    def dispose(self) -> None:
        self.writer.dispose()
        self.reader.dispose()
