"""A Fleet that admits what it is told to and remembers what it was told, and a southbound to go with it."""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from naas_sdn import config, runtime
from naas_sdn.engine.contract import Fleet, Identity, Punt, Switch
from naas_sdn.errors import PolicyNotAuthorized
from naas_sdn.southbound.app import Southbound


class RecordingFleet:
    def __init__(self) -> None:
        self.names = {1: "hv1", 2: "hv2"}
        self.identities: list[Identity] = []
        self.switches: dict[str, Switch] = {}
        self.interfaces: dict[str, dict[str, int]] = {}
        self.punts: list[tuple[str, Punt]] = []
        self.gone: list[str] = []
        self.foreign: list[tuple[str, frozenset[tuple[int, int]]]] = []

    def admit(self, identity: Identity) -> str:
        self.identities.append(identity)
        if identity.datapath_id not in self.names:
            raise PolicyNotAuthorized("unknown")
        name = self.names[identity.datapath_id]
        if identity.certificate not in (None, name):
            raise PolicyNotAuthorized("another's certificate")
        return name

    def connected(self, switch: Switch, links: dict[str, int]) -> None:
        self.switches[switch.host] = switch
        self.interfaces[switch.host] = links

    def links(self, switch: Switch, links: dict[str, int]) -> None:
        self.interfaces[switch.host] = links

    def disconnected(self, switch: Switch) -> None:
        self.gone.append(switch.host)
        del self.switches[switch.host]

    def packet_in(self, switch: Switch, punt: Punt) -> None:
        self.punts.append((switch.host, punt))

    def changed_behind(self, switch: Switch, flows: Collection[tuple[int, int]]) -> None:
        self.foreign.append((switch.host, frozenset(flows)))


def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """What `condition` returns once it is true; fails after `seconds`."""
    for _ in range(int(seconds / 0.01)):
        result = condition()
        if result:
            return result
        runtime.sleep(0.01)
    raise AssertionError(f"not within {seconds} s")


@contextmanager
def listening(fleet: Fleet, **options: Any) -> Iterator[Southbound]:
    """A southbound on an ephemeral port of the loopback."""
    conf = config.load(files=[])
    for name, value in {"host": "127.0.0.1", "port": 0, **options}.items():
        conf.set_override(name, value, "openflow")
    south = Southbound(conf, fleet)
    try:
        yield south
    finally:
        south.stop()


@contextmanager
def southbound(**options: Any) -> Iterator[tuple[Southbound, RecordingFleet]]:
    """With a fleet that remembers."""
    fleet = RecordingFleet()
    with listening(fleet, **options) as south:
        yield south, fleet
