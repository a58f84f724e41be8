"""The dispatcher: every commit reaches every plugin; one that fails is retried, shown, and alone."""
from __future__ import annotations

from collections.abc import Iterable

import pytest

from naas_sdn import config, runtime
from naas_sdn.db.session import Database
from naas_sdn.errors import ConfigurationError
from naas_sdn.model.store import Key
from naas_sdn.model.values import Fact
from naas_sdn.plugins import dispatcher
from naas_sdn.plugins.dispatcher import Dispatcher
from naas_sdn.plugins.registry import load_plugins
from tests.support.database import Cloud
from tests.support.fleet import until


class Listener:
    """Takes what it is told, unless it is broken."""

    def __init__(self, name: str, *kinds: str) -> None:
        self.name = name
        self.realises = frozenset(kinds)
        self.facts: dict[Key, Fact | None] = {}
        self.calls = 0
        self.broken = False

    def apply(self, changes: Iterable[tuple[Key, Fact | None]]) -> None:
        self.calls += 1
        if self.broken:
            raise RuntimeError("the device does not answer")
        self.facts.update(changes)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "FIRST_DELAY", 0.02)


def test_at_start_everything_then_what_changes(cloud_db: Cloud, database: Database) -> None:
    network, _ = cloud_db.network()
    listener, deaf = Listener("a", "network", "port"), Listener("b", "router")
    following = Dispatcher(database, [listener, deaf])
    assert following.load() == 4
    assert set(listener.facts) == {Key("network", network)}
    port = cloud_db.port(network)
    following.step()
    assert Key("port", port) in listener.facts
    cloud_db.delete("ports", port)
    following.step()
    assert listener.facts[Key("port", port)] is None
    assert deaf.facts == {}


def test_a_commit_wakes_it(cloud_db: Cloud, database: Database) -> None:
    listener = Listener("a", "network")
    following = Dispatcher(database, [listener])
    database.on_commit.append(following.nudge)
    following.load()
    thread = runtime.spawn(following.run)
    network, _ = cloud_db.network()
    until(lambda: Key("network", network) in listener.facts)
    thread.kill()


def test_a_commit_that_nobody_told_of_is_found(cloud_db: Cloud, database: Database,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost nudge, as of an API process that died after its commit, heals at the next look."""
    monkeypatch.setattr(dispatcher, "POLL", 0.02)
    listener = Listener("a", "network")
    following = Dispatcher(database, [listener])
    following.load()
    thread = runtime.spawn(following.run)
    assert database.on_commit == []
    network, _ = cloud_db.network()
    until(lambda: Key("network", network) in listener.facts)
    cloud_db.delete("networks", network)
    until(lambda: listener.facts[Key("network", network)] is None)
    thread.kill()


def test_one_that_fails_shows_it_is_told_the_latest_and_heals(cloud_db: Cloud, database: Database) -> None:
    network, _ = cloud_db.network()
    good, bad = Listener("good", "network"), Listener("bad", "network")
    following = Dispatcher(database, [bad, good])
    following.load()
    bad.broken = True
    for mtu in (1300, 1400):
        cloud_db.change("networks", network, mtu=mtu)
        following.step()
    fact = good.facts[Key("network", network)]
    assert fact is not None
    assert fact.mtu == 1400     # type: ignore[union-attr]
    assert cloud_db.get("networks", network)["status"] == "ERROR"
    until(lambda: bad.calls > 4)
    bad.broken = False
    until(lambda: bad.facts.get(Key("network", network)) == fact)
    until(lambda: cloud_db.get("networks", network)["status"] == "ACTIVE")
    following.close()


@pytest.mark.parametrize(("option", "value", "told"), [
    ("l2", "nope", "nope"), ("ipam", "nope", "nope"), ("ipconfig", ["nope"], "nope"), ("l2", "", "l2")])
def test_plugins_that_are_not_there(option: str, value: object, told: str) -> None:
    conf = config.load(files=[])
    if option == "l2":
        conf.set_override("l3", "", "plugins")
    conf.set_override(option, value, "plugins")
    with pytest.raises(ConfigurationError, match=told):
        load_plugins(conf)


def test_layer_3_in_the_tables_needs_layer_2_there() -> None:
    conf = config.load(files=[])
    conf.set_override("l2", "other", "plugins")
    with pytest.raises(ConfigurationError, match="l3=openflow"):
        load_plugins(conf)
