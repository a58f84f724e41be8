"""`naas-sdn hypervisor prepare` against a real OVSDB and ovs-vswitchd on the dummy datapath."""
from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from naas_sdn.commands.prepare import prepare as command
from naas_sdn.errors import ConfigurationError, NaasError
from naas_sdn.hypervisor import State, datapath_id_of, make_setup, plan, prepare
from tests.support.openvswitch import OpenVswitch

CONTROLLER = "tcp:127.0.0.1:6653"


@pytest.fixture(scope="module")
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenVswitch]:
    ovs = OpenVswitch(tmp_path_factory.mktemp("ovs"), dummy=True)
    try:
        ovs.start()
        yield ovs
    finally:
        ovs.stop()


@pytest.fixture
def ovs(daemons: OpenVswitch) -> Iterator[OpenVswitch]:
    yield daemons
    for bridge in daemons.vsctl("list-br").split():
        daemons.vsctl("del-br", bridge)
    daemons.vsctl("del-ssl")


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = str(folder / "key.pem"), str(folder / "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-subj", "/CN=hv1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return key, certificate


def invoke(ovs: OpenVswitch | None, *arguments: str) -> Result:
    database = ["--db", ovs.database] if ovs else []
    return CliRunner().invoke(command, [*arguments, *database])


def flat(ovs: OpenVswitch, table: str) -> str:
    return ovs.vsctl("--no-headings", "--format=csv", "list", table)


ARGUMENTS = ("hv1", "--vtep", "10.200.0.1", "--controller", CONTROLLER, "--datapath-type", "netdev")


def test_sets_up_a_bare_host(ovs: OpenVswitch) -> None:
    result = invoke(ovs, *ARGUMENTS)

    assert result.exit_code == 0, result.output
    assert ovs.vsctl("get", "bridge", "br-int", "fail_mode", "protocols", "datapath_type").split() == \
        ["secure", "[OpenFlow13]", "netdev"]
    assert ovs.vsctl("get", "bridge", "br-int", "other_config:dp-desc") == '"hv1;vtep=10.200.0.1"'
    assert ovs.vsctl("get", "bridge", "br-int", "other_config:disable-in-band") == '"true"'
    assert ovs.vsctl("get", "bridge", "br-int", "datapath_id") == f'"{datapath_id_of("hv1"):016x}"'
    assert ovs.vsctl("get", "interface", "vxlan0", "type", "error").split() == ["vxlan", "[]"]
    assert ovs.vsctl("get", "interface", "vxlan0", "options:remote_ip", "options:key").split() == ["flow", "flow"]
    assert ovs.vsctl("get-controller", "br-int") == CONTROLLER
    assert ovs.vsctl("get", "controller", "br-int", "max_backoff", "inactivity_probe").split() == ["1000", "5000"]
    assert "hv1;vtep=10.200.0.1" in ovs.ofctl("dump-desc", "br-int")


def test_second_run_changes_nothing_and_says_so(ovs: OpenVswitch) -> None:
    invoke(ovs, *ARGUMENTS)
    before = [flat(ovs, table) for table in ("Bridge", "Port", "Interface", "Controller")]

    result = invoke(ovs, *ARGUMENTS)

    assert result.exit_code == 0
    assert "nothing to change" in result.output
    assert "\nset:" not in result.output
    assert [flat(ovs, table) for table in ("Bridge", "Port", "Interface", "Controller")] == before


def test_uplinks_become_ports_of_the_bridge(ovs: OpenVswitch) -> None:
    ovs.vsctl("add-br", "br-ex", "--", "set", "bridge", "br-ex", "datapath_type=dummy")
    wanted = (*ARGUMENTS, "--physical-network", "public:eth1", "--physical-network", "storage:eth2")
    plain = invoke(ovs, *ARGUMENTS)
    assert plain.exit_code == 0, plain.output

    result = invoke(ovs, *wanted)

    assert result.exit_code == 0, result.output
    assert [line for line in invoke(ovs, *wanted, "--dry-run").output.splitlines() if "uplink" in line] == [
        "is so: uplink eth1 to physical network public", "is so: uplink eth2 to physical network storage"]
    assert {"eth1", "eth2"} <= set(ovs.vsctl("list-ports", "br-int").split())


@pytest.mark.parametrize(("spoil", "text"), [
    (("set", "bridge", "br-int", "fail_mode=standalone"), "set: fail_mode secure"),
    (("set", "bridge", "br-int", "other_config:dp-desc=other"), "set: dp-desc hv1;vtep=10.200.0.1"),
    (("set", "bridge", "br-int", "protocols=OpenFlow10"), "set: protocols OpenFlow13"),
    (("set", "interface", "vxlan0", "options:key=7"), "set: tunnel port vxlan0"),
    (("del-port", "vxlan0"), "set: tunnel port vxlan0"),
    (("set-controller", "br-int", "tcp:127.0.0.9:6653"), "set: controller tcp:127.0.0.1:6653"),
    (("del-controller", "br-int"), "set: controller"),
    (("set", "controller", "br-int", "inactivity_probe=0"), "set: controller"),
])
def test_mends_only_what_is_wrong(ovs: OpenVswitch, spoil: tuple[str, ...], text: str) -> None:
    invoke(ovs, *ARGUMENTS)
    ovs.vsctl(*spoil)

    result = invoke(ovs, *ARGUMENTS)

    changed = [line for line in result.output.splitlines() if line.startswith("set: ")]
    assert len(changed) == 1
    assert changed[0].startswith(text)
    assert "nothing to change" in invoke(ovs, *ARGUMENTS).output


def test_dry_run_writes_nothing(ovs: OpenVswitch) -> None:
    result = invoke(ovs, *ARGUMENTS, "--dry-run")

    assert result.exit_code == 0
    assert "would set: bridge br-int" in result.output
    assert ovs.vsctl("list-br") == ""


def test_several_controllers_and_a_pinned_vtep(ovs: OpenVswitch) -> None:
    more = ("--controller", "tcp:[2001:db8::1]:6653", "--local-ip", "--dst-port", "8472")
    invoke(ovs, *ARGUMENTS, *more)

    assert set(ovs.vsctl("get-controller", "br-int").split()) == {CONTROLLER, "tcp:[2001:db8::1]:6653"}
    assert ovs.vsctl("get", "interface", "vxlan0", "options:local_ip") == '"10.200.0.1"'
    assert ovs.vsctl("get", "interface", "vxlan0", "options:dst_port") == '"8472"'
    assert "nothing to change" in invoke(ovs, *ARGUMENTS, *more).output


def test_other_bridges_are_left_alone(ovs: OpenVswitch) -> None:
    ovs.vsctl("add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev")
    before = ovs.vsctl("list", "bridge", "br-phy")

    invoke(ovs, *ARGUMENTS)

    assert ovs.vsctl("list", "bridge", "br-phy") == before


def test_a_tunnel_port_of_another_bridge_is_refused(ovs: OpenVswitch) -> None:
    ovs.vsctl("add-br", "br-x", "--", "add-port", "br-x", "vxlan0", "--", "set", "interface", "vxlan0", "type=dummy")

    result = invoke(ovs, *ARGUMENTS)

    assert result.exit_code == 1
    assert "vxlan0 is a port of bridge br-x" in str(result.exception)
    assert ovs.vsctl("list-br") == "br-x"


def test_tls(ovs: OpenVswitch, pem: tuple[str, str]) -> None:
    key, certificate = pem
    arguments = ("hv1", "--vtep", "10.200.0.1", "--controller", "ssl:127.0.0.1:6653",
                 "--key", key, "--certificate", certificate, "--ca", certificate)

    assert invoke(ovs, *arguments).exit_code == 0
    assert key in ovs.vsctl("get-ssl")
    assert "nothing to change" in invoke(ovs, *arguments).output


def test_tls_without_files_or_with_unusable_ones(ovs: OpenVswitch, pem: tuple[str, str], tmp_path: Path) -> None:
    bare = ("hv1", "--vtep", "10.200.0.1", "--controller", "ssl:127.0.0.1:6653")
    junk = tmp_path / "junk.pem"
    junk.write_text("not a certificate")

    assert "needs a key" in str(invoke(ovs, *bare).exception)
    assert "go together" in invoke(ovs, *bare, "--key", pem[0]).output
    result = invoke(ovs, *bare, "--key", pem[0], "--certificate", str(junk), "--ca", pem[1])
    assert result.exit_code == 1
    assert str(junk) in str(result.exception)
    assert ovs.vsctl("list-br") == ""


@pytest.mark.parametrize(("name", "changes", "text"), [
    ("hv 1", {}, "not a host name"),
    ("hv1;vtep=10.9.9.9", {}, "not a host name"),
    ("--all", {}, "not a host name"),
    ("hv1", {"vtep": "10.200.0.256"}, "not an IPv4 address"),
    ("hv1", {"vtep": "224.0.0.1"}, "tunnel's end"),
    ("hv1", {"controllers": ()}, "No controller"),
    ("hv1", {"controllers": ("ptcp:6653",)}, "ptcp:6653"),
    ("hv1", {"controllers": ("tcp:10.0.0.1:99999",)}, "99999"),
    ("hv1", {"controllers": (CONTROLLER, CONTROLLER)}, "twice"),
    ("hv1", {"datapath_id": "0"}, "hexadecimal"),
    ("hv1", {"datapath_id": "12345678901234567"}, "hexadecimal"),
    ("hv1", {"bridge": "a-name-that-is-too-long"}, "interface name"),
    ("hv1", {"datapath_type": "quantum"}, "neither"),
    ("hv1", {"tunnel_port": 0}, "UDP port"),
])
def test_refuses_what_an_operator_mistyped(name: str, changes: dict[str, Any], text: str) -> None:
    arguments = {"vtep": "10.200.0.1", "controllers": (CONTROLLER,), **changes}
    with pytest.raises(NaasError, match=text):
        make_setup(name, arguments.pop("vtep"), arguments.pop("controllers"), **arguments)


def test_no_ovsdb_is_one_clear_line(tmp_path: Path) -> None:
    setup = make_setup("hv1", "10.200.0.1", (CONTROLLER,))

    with pytest.raises(ConfigurationError, match=r"none\.sock") as caught:
        prepare(setup, f"unix:{tmp_path}/none.sock")
    assert "\n" not in str(caught.value)


def test_no_ovs_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(ConfigurationError, match="not installed"):
        prepare(make_setup("hv1", "10.200.0.1", (CONTROLLER,)))


def test_a_device_that_cannot_be_made_is_an_error() -> None:
    setup = make_setup("hv1", "10.200.0.1", (CONTROLLER,))
    tunnel = {"name": "vxlan0", "type": "vxlan", "options": {}, "error": "could not add network device vxlan0"}

    with pytest.raises(ConfigurationError, match="could not add network device"):
        plan(setup, State(tunnel=tunnel, tunnel_bridge="br-int"))


def test_the_datapath_id_depends_on_the_name_alone() -> None:
    assert datapath_id_of("hv1") == datapath_id_of("hv1") == 0x7c0c1d1de1d35bc4
    assert datapath_id_of("hv2") != datapath_id_of("hv1")
