"""Finds the plugins that the configuration names, by entry point: a third party's needs no change here."""
from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any, TypeVar

from oslo_config import cfg

from naas_sdn.errors import ConfigurationError
from naas_sdn.plugins.contract import BridgePlugin, IpamPlugin, IpConfigPlugin, L2Plugin, L3Plugin, Plugin, Plugins

P = TypeVar("P", bound=Plugin)


def load_plugins(conf: cfg.ConfigOpts) -> Plugins:
    """Each plugin is made with the options as its only argument.

    Raises ConfigurationError when one is not installed, is of the wrong kind, or does not go with another.
    """
    chosen = conf.plugins
    if not chosen.l2:
        raise ConfigurationError(f"[plugins] l2 is empty; installed: {_installed('l2')}.")
    if chosen.l3 == "openflow" and chosen.l2 != "openflow":
        raise ConfigurationError(f"[plugins] l3=openflow routes in the tables of l2=openflow, not of l2={chosen.l2}.")
    if chosen.ipconfig and not chosen.l3:
        chosen_ipconfig: list[str] = []  # schemes hand out subnets' addresses: without L3 there are none
    else:
        chosen_ipconfig = chosen.ipconfig
    return Plugins(
        l2=_make(conf, L2Plugin, chosen.l2),
        l3=_make(conf, L3Plugin, chosen.l3) if chosen.l3 else L3Plugin(),
        ipam=_make(conf, IpamPlugin, chosen.ipam),
        ipconfig=tuple(_make(conf, IpConfigPlugin, name) for name in chosen_ipconfig),
        bridges={name: _make(conf, BridgePlugin, name) for name in chosen.bridge},
    )


def _installed(kind: str) -> str:
    return ", ".join(sorted(point.name for point in entry_points(group=f"naas_sdn.plugins.{kind}"))) or "none"


def _make(conf: cfg.ConfigOpts, base: type[P], name: str) -> P:
    found = entry_points(group=f"naas_sdn.plugins.{base.kind}", name=name)
    if not found:
        raise ConfigurationError(f"[plugins] {base.kind}={name} is not installed; installed: {_installed(base.kind)}.")
    factory: Any = next(iter(found)).load()
    plugin = factory(conf)
    if not isinstance(plugin, base):
        raise ConfigurationError(f"[plugins] {base.kind}={name} is a {type(plugin).__name__}, not an {base.__name__}.")
    return plugin
