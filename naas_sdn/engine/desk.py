"""Where operators' questions about switches are answered: `naas-sdn verify` and `naas-sdn repair` (db/checks.py)."""
from __future__ import annotations

import logging
from functools import partial
from itertools import islice
from typing import Any

from naas_sdn import runtime
from naas_sdn.apps.contract import Scope
from naas_sdn.db import checks
from naas_sdn.db.session import Database
from naas_sdn.engine.audit import subject
from naas_sdn.engine.difference import Difference, What
from naas_sdn.engine.engine import Engine
from naas_sdn.engine.session import Inspection
from naas_sdn.errors import ServiceUnavailable
from naas_sdn.pipeline.program import Name

LOG = logging.getLogger(__name__)

POLL = 0.5
"""Seconds between looks for questions."""

SHOWN = 1000
"""Faults that an answer lists; it counts all."""


class Desk:
    """Of one controller."""

    def __init__(self, database: Database, engine: Engine) -> None:
        self._database = database
        self._engine = engine
        self._taken: set[str] = set()

    def run(self) -> None:
        """Until killed."""
        while True:
            runtime.sleep(POLL)
            try:
                self.step()
            except ServiceUnavailable as error:
                LOG.warning("operators' questions are read again in %s s: %s", POLL, error)
            except Exception:
                LOG.exception("operators' questions are read again in %s s", POLL)

    def step(self) -> None:
        """Hand each new question to its switch's loop."""
        with self._database.read() as session:
            asked = [(row.id, row.host, row.repair) for row in checks.waiting(session)]
        new = [question for question in asked if question[0] not in self._taken]
        self._taken = {identifier for identifier, _, _ in asked}
        sessions = self._engine.sessions()
        for identifier, host, repair in new:
            if host in sessions:
                sessions[host].inspect(Inspection(repair, partial(self.answer, identifier)))
            else:
                self.answer(identifier, None)

    def answer(self, identifier: str, difference: Difference | None) -> None:
        """None: the switch is not connected."""
        text = {"connected": False} if difference is None else self._described(difference)
        self._database.transact(lambda session: checks.answer(session, identifier, text))

    def _described(self, difference: Difference) -> dict[str, Any]:
        faults = list(difference.faults())
        texts: dict[Scope, dict[Name, str]] = {}
        listed = []
        for fault in islice(faults, SHOWN):
            entry: dict[str, Any] = {"fault": fault.what}
            if fault.table is None:
                entry["meter"] = fault.number
            else:
                entry |= {"table": fault.table, "cookie": f"{fault.number:#x}"}
            if fault.scope is not None:
                entry["object"] = subject(fault.scope)
                if fault.scope not in texts:
                    texts[fault.scope] = self._engine.compiler.texts(fault.scope)
                if fault.name is not None and fault.name in texts[fault.scope]:
                    entry["flow"] = texts[fault.scope][fault.name]
            listed.append(entry)
        counts = {what.value: sum(fault.what == what for fault in faults) for what in What}
        return {"connected": True, "faults": listed, "counts": {what: n for what, n in counts.items() if n}}
