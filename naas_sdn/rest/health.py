"""Whether the process answers, and whether the service behind it works: through the database, like all else."""
from __future__ import annotations

from datetime import timedelta

from webob import Response

from naas_sdn.db import heartbeats
from naas_sdn.db.session import Database
from naas_sdn.errors import ServiceUnavailable
from naas_sdn.rest import faults

PATIENCE = 1.0
"""Seconds that the database may take."""

STALE = timedelta(seconds=15)
"""Without a sign of life the controller's loop stands."""


def alive() -> Response:
    return faults.respond(200, {"status": "ok"})


def ready(database: Database) -> Response:
    reasons = _reasons(database)
    return faults.respond(503 if reasons else 200, {"ready": not reasons, "reasons": reasons})


def _reasons(database: Database) -> list[str]:
    try:
        with database.read(PATIENCE) as session:
            age = heartbeats.age(session, heartbeats.DISPATCHER)
    except ServiceUnavailable as error:
        return [str(error)]
    if age is None:
        return ["The controller has never run on this database."]
    if age > STALE:
        return [f"The controller's loop has given no sign of life for {age.total_seconds():.0f} s."]
    return []
