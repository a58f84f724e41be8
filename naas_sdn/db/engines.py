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

    `unusable`: that error tells of the database, not of the statement. `conflict`: that transaction met another, and
    may succeed when it is run again.
    """

    writer: Engine
    reader: Engine
    writers: int
    readers: int
    unusable: Verdict
    conflict: Verdict

    def dispose(self) -> None:
        self.writer.dispose()
        self.reader.dispose()
