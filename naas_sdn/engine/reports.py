"""What the engine tells the database: in order, and kept until the database has taken it.

Nobody waits for it: a database that is stopped delays what people see, not what switches get. What has not been told
when the controller ends is found again when it starts.
"""
from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import Any

from naas_sdn import runtime
from naas_sdn.db.session import FOREVER, Database, Session
from naas_sdn.errors import ServiceUnavailable

LOG = logging.getLogger(__name__)

BATCH = 16
"""Reports of one transaction at the most: nothing else runs while they are written."""

RETRY = 1.0
"""Seconds before a report that failed is looked at again."""

Report = Callable[[Session], None]


class Reports:
    """Written by a green thread that lives while there are any."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[tuple[Report, Callable[[], None]]] = deque()
        self._writing = False

    def put(self, report: Report, again: Callable[[], None]) -> None:
        """Have `report` written. `again` is called, a while after, when it was given up for a mistake of its own."""
        self._waiting.append((report, again))
        if not self._writing:
            self._writing = True
            runtime.spawn(self._run)

    def _run(self) -> None:
        alone = 0
        while self._waiting:
            batch = list(islice(self._waiting, 1 if alone else BATCH))
            try:
                self._database.transact(partial(_write, batch), FOREVER)
            except ServiceUnavailable as error:
                LOG.warning("%d reports wait: %s", len(self._waiting), error)
                runtime.sleep(RETRY)
                continue
            except Exception:
                if len(batch) > 1:
                    # Written alone, the one at fault is found.
                    alone = len(batch)
                    continue
                LOG.exception("a report to the database; looking again in %s s", RETRY)
                runtime.spawn(_later, batch[0][1])
            alone = max(0, alone - 1)
            for _ in batch:
                self._waiting.popleft()
            # A lock that nobody waits for gives no turn to others.
            runtime.sleep()
        self._writing = False


def _write(batch: Iterable[tuple[Report, Any]], session: Session) -> None:
    for report, _ in batch:
        report(session)


def _later(again: Callable[[], None]) -> None:
    runtime.sleep(RETRY)
    again()
