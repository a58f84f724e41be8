"""Events to Nova: POST os-server-external-events, for what db/announcements.py finds due."""
from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from keystoneauth1 import loading
from oslo_config import cfg

from naas_sdn import runtime
from naas_sdn.db import announcements
from naas_sdn.db.announcements import Event
from naas_sdn.db.session import Database

LOG = logging.getLogger(__name__)

LONGEST_DELAY = 30.0
"""Seconds between attempts at the most; they double from the interval of batches."""

TIMEOUT = 20.0
"""Seconds for one answer of Nova's."""

TAKEN = (200, 207)
"""207: some events came to nothing; Nova says why of each in its own log."""

REFUSED = (400, 404, 422)
"""What would be refused again. 404: Nova has none of these servers, or not yet on a host."""

Post = Callable[[Sequence[Event]], None]


class Announcer:
    """Of one controller."""

    def __init__(self, database: Database, post: Post, interval: float) -> None:
        self._database = database
        self._post = post
        self._interval = interval

    def run(self) -> None:
        """Until killed. What Nova does not take stays due, and is looked at again."""
        delay = self._interval
        while True:
            runtime.sleep(delay)
            try:
                while self.step():
                    pass
                delay = self._interval
            except Exception:
                delay = min(2 * delay, LONGEST_DELAY)
                LOG.exception("Nova is told again in %.1f s", delay)

    def step(self) -> bool:
        """One batch; whether there was one."""
        with self._database.read() as session:
            batch = announcements.due(session)
        if not batch.looks:
            return False
        if batch.events:
            self._post(batch.events)
        self._database.transact(lambda session: announcements.done(session, batch))
        return True


def poster(conf: cfg.ConfigOpts) -> Post:
    """Posts to the Nova of [nova]; what it returns raises whatever went wrong, to be called again."""
    for register in (loading.register_auth_conf_options, loading.register_session_conf_options,
                     loading.register_adapter_conf_options):
        register(conf, "nova")
    auth = loading.load_auth_from_conf_options(conf, "nova")
    session = loading.load_session_from_conf_options(conf, "nova", auth=auth)
    adapter = loading.load_adapter_from_conf_options(conf, "nova", session=session, service_type="compute")

    def post(events: Sequence[Event]) -> None:
        answer = adapter.post("/os-server-external-events", json={"events": [_shown(event) for event in events]},
                              raise_exc=False, timeout=conf.nova.timeout or TIMEOUT)
        if answer.status_code in REFUSED:
            LOG.warning("Nova refuses %d events: %s %s", len(events), answer.status_code, answer.text[:500])
        elif answer.status_code not in TAKEN:
            raise OSError(f"Nova answers {answer.status_code}")

    return post


def _shown(event: Event) -> dict[str, Any]:
    shown = {"name": event.name, "server_uuid": event.server, "tag": event.port_id}
    return {**shown, "status": event.status} if event.status else shown
