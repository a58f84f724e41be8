"""What a plugin promises, one base class a kind.

The core keeps the truth; a plugin realises it. Its methods: *check* a change inside the transaction (it may refuse by
raising, and may write its own tables, but makes no network call); *apply* what was committed (level-triggered,
idempotent, retried); *extend* resources with attributes of its own. A kind that is not configured is served by its
base class, whose every method raises NotImplementedByPlugin.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sqlalchemy.orm import Session

from naas_sdn.db.rows import SubnetRow
from naas_sdn.errors import NotImplementedByPlugin
from naas_sdn.model.ip import Ip
from naas_sdn.model.store import Key
from naas_sdn.model.values import Fact


@dataclass(frozen=True, slots=True)
class Change:
    """A change about to be made: `operation` is create, update or delete, `attributes` those of the request."""

    operation: str
    kind: str
    id: str
    attributes: Mapping[str, Any]


class Plugin:
    """What all kinds share. `kind` is the option in [plugins] that selects it."""

    kind: ClassVar[str]
    serves: ClassVar[str]
    """In words, for the one who asks for what is not there."""

    @property
    def name(self) -> str:
        """As in its entry point."""
        raise self.missing()

    @property
    def realises(self) -> frozenset[str]:
        """The kinds of fact that *apply* wants."""
        raise self.missing()

    def check(self, session: Session, change: Change) -> None:
        """Raise a NaasError to refuse."""
        raise self.missing()

    def apply(self, changes: Iterable[tuple[Key, Fact | None]]) -> None:
        """Realise the present state of these objects (None: gone). An exception means: again later."""
        raise self.missing()

    def extend(self, session: Session, kind: str, ids: Iterable[str]) -> Mapping[str, Mapping[str, Any]]:
        """{id: attributes of the plugin's own} to show with the resources."""
        raise self.missing()

    def missing(self) -> NotImplementedByPlugin:
        return NotImplementedByPlugin(
            f"{self.serves} need an {self.kind.upper()} plugin, and none is configured: the operator can set "
            f"'{self.kind}' in section [plugins].")


class L2Plugin(Plugin):
    kind = "l2"
    serves = "Networks and ports"

    def largest_mtu(self, wire: Mapping[str, Any]) -> int:
        """Of a network with these provider attributes, as *check* is given them or *extend* shows them."""
        raise self.missing()


class L3Plugin(Plugin):
    kind = "l3"
    serves = "Subnets, routers and routes"


class IpConfigPlugin(Plugin):
    kind = "ipconfig"
    serves = "IP configuration schemes"


class IpamPlugin(Plugin):
    """Decides which addresses are used; called inside the transaction."""

    kind = "ipam"
    serves = "Addresses"

    def allocate(self, session: Session, subnet: SubnetRow, wanted: Ip | None) -> Ip:
        """Choose an address of the subnet, or take `wanted`.

        Raises IpAddressAlreadyAllocated, IpAddressGenerationFailure (none is left) or InvalidIpForSubnet.
        """
        raise self.missing()


@dataclass(frozen=True, slots=True)
class Site:
    """What a bridge is told of the remote site. `remote_endpoint`: an IP address; `key`: which of its tunnels."""

    remote_endpoint: str | None = None
    udp_port: int | None = None
    key: int | None = None


class BridgePlugin(Plugin):
    """A type of bridge, which its name is. *extend* says `status` (up, down) and `reason` of what is plugged in."""

    kind = "bridge"
    serves = "Bridges"

    def settled(self, session: Session, site: Site) -> Site:
        """With the type's defaults. Raises InvalidInput for what the type cannot do."""
        raise self.missing()


@dataclass(frozen=True, slots=True)
class Plugins:
    """The configured ones."""

    l2: L2Plugin
    l3: L3Plugin
    ipam: IpamPlugin
    ipconfig: tuple[IpConfigPlugin, ...] = ()
    bridges: Mapping[str, BridgePlugin] = field(default_factory=dict)
    """By type."""

    @property
    def has_l3(self) -> bool:
        return type(self.l3) is not L3Plugin

    def realisers(self) -> list[Plugin]:
        """Those whose *apply* is called."""
        return [self.l2, *([self.l3] if self.has_l3 else []), *self.ipconfig]
