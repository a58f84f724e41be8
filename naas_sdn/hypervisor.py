"""What OpenFlow cannot set up on a hypervisor: bridge, tunnel port, controllers and TLS in its OVSDB.

`plan` compares what is with what should be; `prepare` carries the difference out as one ovs-vsctl
transaction, so a host is never half prepared and a second run changes nothing.
Columns and keys are those of ovs-vswitchd.conf.db(5).
"""
from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any

from naas_sdn.errors import ConfigurationError
from naas_sdn.model import identity

DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")
TARGET = re.compile(r"(tcp|ssl):(\d+\.\d+\.\d+\.\d+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})")
MAX_BACKOFF = 1000
"""Milliseconds between a switch's tries to reach its controller; OVS's own default is 8 s."""
TIMEOUT = 15
"""Seconds that ovs-vsctl may take, which waits until ovs-vswitchd has done what it was told."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of PEM files: the hypervisor's key and certificate, and who signed the controller's."""

    key: str
    certificate: str
    ca: str


@dataclass(frozen=True, slots=True)
class Setup:
    """How a hypervisor should be. `inactivity_probe` in milliseconds; `local_ip` pins tunnels to the VTEP."""

    name: str
    vtep: IPv4Address
    controllers: tuple[str, ...]
    datapath_id: int
    datapath_type: str = "system"
    bridge: str = "br-int"
    tunnel: str = "vxlan0"
    tunnel_port: int = 4789
    local_ip: bool = False
    inactivity_probe: int = 5000
    tls: Tls | None = None
    uplinks: Mapping[str, str] = field(default_factory=dict)
    """{physical network: interface}."""


@dataclass(frozen=True, slots=True)
class State:
    """What the OVSDB holds now, of what matters here; a bridge or interface that is absent is None."""

    bridge: Mapping[str, Any] | None = None
    tunnel: Mapping[str, Any] | None = None
    tunnel_bridge: str | None = None
    controllers: tuple[Mapping[str, Any], ...] = ()
    tls: Tls | None = None
    bridges: Mapping[str, str] = field(default_factory=dict)
    """Of which bridge each interface of `Setup.uplinks` is a port."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that should be so; `change` is what ovs-vsctl is told to make it so, empty when it is."""

    text: str
    change: tuple[str, ...] = field(default=())


def datapath_id_of(name: str) -> int:
    """The OpenFlow identity (64 bits, never 0) that a hypervisor has by its name alone."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") or 1


def make_setup(name: str, vtep: str, controllers: tuple[str, ...], *, datapath_id: str | None = None,
               tls: Tls | None = None, **options: Any) -> Setup:
    """Check what an operator typed. Raises InvalidInput or ConfigurationError, with what would be right."""
    host, address = identity.host_name(name), identity.vtep(vtep)
    number = datapath_id_of(host) if datapath_id is None else identity.datapath_id(datapath_id)
    if tls is not None:
        # ovs-vswitchd opens them from a working directory of its own.
        tls = Tls(os.path.abspath(tls.key), os.path.abspath(tls.certificate), os.path.abspath(tls.ca))
    setup = Setup(host, address, controllers, number, tls=tls, **options)
    _check(setup)
    return setup


def _check(setup: Setup) -> None:
    if not setup.controllers:
        raise ConfigurationError("No controller given: name at least one, such as tcp:192.0.2.10:6653.")
    for target in setup.controllers:
        match = TARGET.fullmatch(target)
        if not match or not 0 < int(match[3]) < 65536:
            raise ConfigurationError(f"Controller {target!r} is not tcp:ADDRESS:PORT or ssl:ADDRESS:PORT "
                                     f"(an IPv6 address in brackets).")
    if len(set(setup.controllers)) != len(setup.controllers):
        raise ConfigurationError("A controller is named twice.")
    for device in (setup.bridge, setup.tunnel):
        if not DEVICE.fullmatch(device):
            raise ConfigurationError(f"{device!r} is not an interface name: at most 15 letters, digits, '._-'.")
    if clash := {setup.bridge, setup.tunnel} & set(setup.uplinks.values()):
        raise ConfigurationError(f"{clash.pop()} is the bridge or the tunnel, and no uplink to a physical network.")
    if setup.datapath_type not in ("system", "netdev"):
        raise ConfigurationError(f"Datapath type {setup.datapath_type!r} is neither system nor netdev.")
    if not 0 < setup.tunnel_port < 65536:
        raise ConfigurationError(f"Tunnel port {setup.tunnel_port} is not a UDP port, 1 to 65535.")
    if setup.tls is not None:
        _check_tls(setup.tls)


def _check_tls(tls: Tls) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"Certificate {tls.certificate} with key {tls.key} cannot be used: {error}. "
                                 f"Both must be PEM files and belong together.") from error
    try:
        context.load_verify_locations(tls.ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"CA certificate {tls.ca} cannot be used: {error}.") from error


def plan(setup: Setup, state: State) -> list[Step]:
    """The steps in order. Raises ConfigurationError when what is there belongs to something else."""
    if state.tunnel_bridge not in (None, setup.bridge):
        raise ConfigurationError(f"Interface {setup.tunnel} is a port of bridge {state.tunnel_bridge}, not of "
                                 f"{setup.bridge}: remove it there, or choose another name for the tunnel.")
    if state.tunnel_bridge and state.tunnel and state.tunnel["error"]:
        raise ConfigurationError(f"Open vSwitch cannot make interface {setup.tunnel}: {state.tunnel['error']}.")
    if any(target.startswith("ssl:") for target in setup.controllers) and not (setup.tls or state.tls):
        raise ConfigurationError("An ssl: controller needs a key, a certificate and a CA certificate.")
    for interface, bridge in state.bridges.items():
        if bridge != setup.bridge:
            raise ConfigurationError(f"Interface {interface} is a port of bridge {bridge}, not of {setup.bridge}: "
                                     f"remove it there, or choose another uplink.")
    return [*_bridge_steps(setup, state), _tunnel_step(setup, state), *_uplink_steps(setup, state),
            *_tls_steps(setup, state), _controller_step(setup, state)]


def _bridge_steps(setup: Setup, state: State) -> Iterator[Step]:
    name, now = setup.bridge, state.bridge or {}
    yield Step(f"bridge {name}", () if state.bridge else ("add-br", name))
    columns = {"datapath_type": setup.datapath_type, "fail_mode": "secure", "protocols": "OpenFlow13"}
    for column, wanted in columns.items():
        done = now.get(column) == wanted
        yield Step(f"{column} {wanted}", () if done else ("set", "Bridge", name, f"{column}={wanted}"))
    keys = {"datapath-id": f"{setup.datapath_id:016x}", "dp-desc": f"{setup.name};vtep={setup.vtep}",
            "disable-in-band": "true"}
    for key, wanted in keys.items():
        done = now.get("other_config", {}).get(key) == wanted
        yield Step(f"{key} {wanted}", () if done else ("set", "Bridge", name, f'other_config:{key}="{wanted}"'))


def _tunnel_step(setup: Setup, state: State) -> Step:
    options = {"remote_ip": "flow", "key": "flow", "dst_port": str(setup.tunnel_port)}
    if setup.local_ip:
        options["local_ip"] = str(setup.vtep)
    text = f"tunnel port {setup.tunnel} (VXLAN, UDP {setup.tunnel_port})"
    interface = state.tunnel or {}
    if state.tunnel_bridge and interface.get("type") == "vxlan" and interface.get("options") == options:
        return Step(text)
    column = "options={" + ",".join(f'"{key}"="{value}"' for key, value in options.items()) + "}"
    return Step(text, ("--may-exist", "add-port", setup.bridge, setup.tunnel, "--",
                       "set", "Interface", setup.tunnel, "type=vxlan", column))


def _uplink_steps(setup: Setup, state: State) -> Iterator[Step]:
    for name, interface in setup.uplinks.items():
        yield Step(f"uplink {interface} to physical network {name}",
                   () if interface in state.bridges else ("add-port", setup.bridge, interface))


def _tls_steps(setup: Setup, state: State) -> Iterator[Step]:
    if setup.tls is not None:
        change = ("set-ssl", setup.tls.key, setup.tls.certificate, setup.tls.ca)
        yield Step(f"TLS with {setup.tls.certificate}", () if setup.tls == state.tls else change)


def _controller_step(setup: Setup, state: State) -> Step:
    text = f"controller {' '.join(setup.controllers)}"
    wanted = dict.fromkeys(setup.controllers, (MAX_BACKOFF, setup.inactivity_probe))
    now = {row["target"]: (row["max_backoff"], row["inactivity_probe"]) for row in state.controllers}
    if now == wanted:
        return Step(text)
    change: list[str] = []
    for number, target in enumerate(setup.controllers):
        change += [f"--id=@c{number}", "create", "Controller", f'target="{target}"', f"max_backoff={MAX_BACKOFF}",
                   f"inactivity_probe={setup.inactivity_probe}", "--"]
    rows = ",".join(f"@c{number}" for number in range(len(setup.controllers)))
    return Step(text, (*change, "set", "Bridge", setup.bridge, f"controller=[{rows}]"))


def prepare(setup: Setup, database: str | None = None, dry_run: bool = False) -> list[Step]:
    """Make the host as `setup` says and return the steps; one with a `change` was not so before.

    `database` is where ovs-vsctl reaches the OVSDB (such as unix:/run/openvswitch/db.sock), its default if
    None. With `dry_run` nothing is written. Raises ConfigurationError: ovs-vsctl missing, OVSDB out of reach
    or refusing, or a bridge that ovs-vswitchd could not make.
    """
    steps = plan(setup, read_state(setup, database))
    changes = [step.change for step in steps if step.change]
    if changes and not dry_run:
        arguments: list[str] = []
        for change in changes:
            arguments += ["--", *change]
        _vsctl(database, *arguments)
    return steps


def read_state(setup: Setup, database: str | None = None) -> State:
    """Raises ConfigurationError."""
    bridge = _rows(database, "Bridge", "name,datapath_type,fail_mode,protocols,other_config,controller,ports")
    ports = _rows(database, "Port", "_uuid,name")
    interfaces = _rows(database, "Interface", "name,type,options,error")
    controllers = _rows(database, "Controller", "_uuid,target,max_backoff,inactivity_probe")
    tls = _rows(database, "SSL", "private_key,certificate,ca_cert")
    ours = next((row for row in bridge if row["name"] == setup.bridge), None)
    tunnel = next((row for row in interfaces if row["name"] == setup.tunnel), None)
    named = {row["_uuid"]: row["name"] for row in ports}
    bridges = {named[port]: row["name"] for row in bridge for port in _many(row["ports"]) if port in named}
    return State(
        bridge=ours, tunnel=tunnel, tunnel_bridge=bridges.get(setup.tunnel),
        bridges={name: bridges[name] for name in setup.uplinks.values() if name in bridges},
        controllers=tuple(row for row in controllers if ours and row["_uuid"] in _many(ours["controller"])),
        tls=Tls(tls[0]["private_key"], tls[0]["certificate"], tls[0]["ca_cert"]) if tls else None,
    )


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _rows(database: str | None, table: str, columns: str) -> list[dict[str, Any]]:
    answer = json.loads(_vsctl(database, "--format=json", f"--columns={columns}", "list", table))
    return [dict(zip(answer["headings"], map(_value, row), strict=True)) for row in answer["data"]]


def _value(value: Any) -> Any:
    """RFC 7047 section 5.1 values: a set as a list, a map as a dict, a UUID as its text."""
    match value:
        case ["map", pairs]:
            return dict(pairs)
        case ["set", members]:
            return [_value(member) for member in members]
        case ["uuid", text]:
            return text
    return value


def _vsctl(database: str | None, *arguments: str) -> str:
    program = shutil.which("ovs-vsctl") or shutil.which("ovs-vsctl", path="/usr/bin:/usr/sbin")
    if program is None:
        raise ConfigurationError("ovs-vsctl is not installed: install Open vSwitch on this host first.")
    command = [program, f"--timeout={TIMEOUT}", *([f"--db={database}"] if database else []), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    complaint = " ".join(done.stderr.split())
    # A device that ovs-vswitchd could not make is only a warning to ovs-vsctl, whose status stays 0.
    if done.returncode or "Error detected" in complaint:
        raise ConfigurationError(f"Open vSwitch refused: {complaint or f'status {done.returncode}'} "
                                 f"(is it running, and may this user speak to {database or 'its OVSDB'}?)")
    return done.stdout
