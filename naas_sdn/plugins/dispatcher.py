"""Journal to plugins: hands every committed change, in commit order, to the plugins that realise it.

Level-triggered: the journal says which object to look at again, and its present state is what is handed over. At
start everything is handed over once, so nothing has to be remembered between runs. A plugin that fails is retried
with growing delay and told only the latest state; the others go on, and its objects show ERROR with the reason.
"""
from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from naas_sdn import runtime
from naas_sdn.db import heartbeats, journal, load, status
from naas_sdn.db.session import FOREVER, Database, Session
from naas_sdn.errors import ServiceUnavailable
from naas_sdn.model.store import Key
from naas_sdn.model.values import Fact

LOG = logging.getLogger(__name__)

POLL = 0.5
"""Seconds between looks at the journal when no commit of this process asked for one."""

BEAT = 5.0
"""Seconds between the signs of life in the database."""

FIRST_DELAY, LONGEST_DELAY = 0.5, 60.0
"""Seconds before a failed *apply* is tried again; doubled each time up to the longest."""


class Realiser(Protocol):
    """A plugin, as the dispatcher sees it."""

    @property
    def name(self) -> str: ...

    @property
    def realises(self) -> frozenset[str]:
        """The kinds of fact that it wants to hear of."""

    def apply(self, changes: Iterable[tuple[Key, Fact | None]]) -> None: ...


class Outbox:
    """What one plugin has yet to take, latest state only."""

    def __init__(self, plugin: Realiser, database: Database) -> None:
        self._plugin = plugin
        self._database = database
        self._waiting: dict[Key, Fact | None] = {}
        self._failed: set[Key] = set()
        self._delay = 0.0
        self._retry: runtime.GreenThread | None = None

    def put(self, changes: Mapping[Key, Fact | None]) -> None:
        self._waiting.update((key, fact) for key, fact in changes.items() if key.kind in self._plugin.realises)
        if self._retry is None:
            self.deliver()

    def deliver(self) -> None:
        """Hand over what waits; on failure say so and come back later."""
        self._retry = None
        if not self._waiting:
            return
        changes = dict(self._waiting)
        try:
            self._plugin.apply(changes.items())
        except Exception as error:
            self._delay = min(max(FIRST_DELAY, 2 * self._delay), LONGEST_DELAY)
            LOG.exception("plugin %s could not apply %d changes; again in %s s",
                          self._plugin.name, len(changes), self._delay)
            self._report(set(changes) - self._failed, f"plugin {self._plugin.name}: {error}")
            self._failed |= set(changes)
            self._retry = runtime.spawn(self._again, self._delay)
            return
        self._delay = 0.0
        for key, fact in changes.items():
            if self._waiting.get(key) is fact:
                del self._waiting[key]
        self._report(self._failed & set(changes), None)
        self._failed -= set(changes)

    def close(self) -> None:
        if self._retry is not None:
            self._retry.kill()

    def _again(self, delay: float) -> None:
        runtime.sleep(delay)
        self.deliver()

    def _report(self, keys: Iterable[Key], reason: str | None) -> None:
        known = list(keys)

        def work(session: Session) -> None:
            for key in known:
                kind = "port" if key.kind == "vif" else key.kind
                status.report_error(session, kind, key.id, self._plugin.name, reason)

        self._database.transact(work, FOREVER)


class Dispatcher:
    """Reads the journal whenever `nudge()` is called, and now and then without."""

    def __init__(self, database: Database, plugins: Iterable[Realiser]) -> None:
        self._database = database
        self._outboxes = [Outbox(plugin, database) for plugin in plugins]
        self._wake = runtime.Signal()
        self._position = journal.START
        self._beat_at = 0.0
        self.nudge: Callable[[], None] = self._wake.set
        self.on_requests: list[Callable[[Mapping[Key, tuple[str, ...]]], None]] = []
        """Called before changes are handed over, with the IDs of the requests that made them."""

    def load(self) -> int:
        """Hand everything to every plugin; the number of facts."""
        with self._database.read(FOREVER) as session:
            self._position = journal.last(session)
            everything = dict(load.load_all(session))
        for outbox in self._outboxes:
            outbox.put(everything)
        return len(everything)

    def run(self) -> None:
        """Follow the journal until killed."""
        while True:
            self._wake.wait(POLL)
            try:
                self.step()
                self._beat()
            except ServiceUnavailable as error:
                LOG.warning("the journal is read again in %s s: %s", POLL, error)
                runtime.sleep(POLL)
            except Exception:
                LOG.exception("the journal is read again in %s s", POLL)
                runtime.sleep(POLL)

    def close(self) -> None:
        """Give up what waits to be retried."""
        for outbox in self._outboxes:
            outbox.close()

    def _beat(self) -> None:
        if time.monotonic() >= self._beat_at:
            self._database.transact(lambda session: heartbeats.beat(session, heartbeats.DISPATCHER), FOREVER)
            self._beat_at = time.monotonic() + BEAT

    def step(self) -> None:
        """Take in what has been committed since the last step."""
        with self._database.read(FOREVER) as session:
            entries = journal.read(session, self._position)
            changes = load.load(session, (Key(entry.kind, entry.object_id) for entry in entries))
        if not entries:
            return
        requests: dict[Key, tuple[str, ...]] = {}
        for entry in entries:
            if entry.request_id:
                key = Key(entry.kind, entry.object_id)
                requests[key] = (*requests.get(key, ()), entry.request_id)
        for hear in self.on_requests:
            hear(requests)
        for outbox in self._outboxes:
            outbox.put(changes)
        self._position = entries[-1].position
        self._database.transact(lambda session: journal.trim(session, self._position), FOREVER)
