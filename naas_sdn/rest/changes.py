"""The audit log of the API: who changed what, or tried to. One line of JSON each; no bodies, no tokens."""
from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from naas_sdn.service.contract import Context

LOG = logging.getLogger("naas_sdn.changes")

LONGEST = 255
"""Characters of a name that a client chose."""


@dataclass(slots=True)
class Attempt:
    """A request as far as it has got. `ids`: what it is about, or what it made."""

    method: str
    context: Context | None = None
    resource: str = ""
    ids: Sequence[str] = ()
    action: str | None = None


def book(attempt: Attempt, request_id: str, status: int) -> None:
    """Nothing for those who only read, and for those whom we do not know."""
    if attempt.context is None or attempt.method in ("GET", "HEAD"):
        return
    line = {"when": datetime.now(UTC).isoformat(timespec="milliseconds"), "request": request_id,
            "project": attempt.context.project_id, "user": attempt.context.user_id, "method": attempt.method,
            "resource": attempt.resource[:LONGEST], "ids": [name[:LONGEST] for name in attempt.ids], "status": status}
    if attempt.action is not None:
        line["action"] = attempt.action[:LONGEST]
    LOG.info("%s", json.dumps(line))
