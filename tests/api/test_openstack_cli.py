"""The `openstack` command: all that it can say about networks, against our server and a real Keystone."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.clouds import cloud
from tests.support.controller import Controller, free_port
from tests.support.keystone import PASSWORD
from tests.support.openstack_commands import Done, OpenStack, names, opened

NOT_SERVED = {
    "floating ip port forwarding": "no port forwarding",
    "local ip": "no local IPs",
    "network agent add": "agents schedule nothing here",
    "network agent remove": "agents schedule nothing here",
    "network agent router": "agents schedule nothing here",
    "network flavor": "routers have no flavors",
    "network l3 conntrack helper": "no conntrack helpers",
    "network meter": "statistics count everything; no metering labels",
    "network segment create": "a network has one segment, the provider's",
    "network segment delete": "a network has one segment, the provider's",
    "network segment range": "the database allocates segments",
    "router ndp proxy": "no NDP proxies",
    "security group default statefulness": "new groups are stateful unless asked otherwise",
}
"""Commands that begin so are not answered, and why; docs/api.md says the same."""

REFUSED = ("local ip list", "network flavor list", "network flavor profile list", "network meter list",
           "network meter rule list", "network segment range list", "router ndp proxy list",
           "security group default statefulness list")
"""Of those, what ends with a failure at once, without a word about anything."""


class Person:
    """Somebody at a terminal; `tried` gathers what anybody tried, by the words of the command."""

    def __init__(self, openstack: OpenStack, tried: set[str]) -> None:
        self._openstack = openstack
        self._known = names()
        self._tried = tried

    def run(self, line: str) -> Done:
        """Words without blanks in them."""
        words = line.split()
        self._tried.update(" ".join(words[:count]) for count in range(1, 6) if " ".join(words[:count]) in self._known)
        return self._openstack.run(*words)

    def does(self, line: str) -> str:
        """What it prints."""
        done = self.run(line)
        assert done.status == 0, f"{line}: {done.err}"
        return done.out

    def sees(self, line: str) -> Any:
        done = self.run(f"{line} -f json")
        assert done.status == 0, f"{line}: {done.err}"
        return done.json

    def fails(self, line: str) -> str:
        """What it complains of, without a traceback."""
        done = self.run(line)
        assert done.status == 1, line
        assert "Traceback" not in done.err
        return done.err


class Terminal:
    """Whoever sits there. Who is `by_name` asks Keystone himself, as `--project NAME` needs (that member: of "alt")."""

    def __init__(self, runners: dict[str, OpenStack], projects: dict[str, str]) -> None:
        self.tried: set[str] = set()
        people = {name: Person(runner, self.tried) for name, runner in runners.items()}
        self.member, self.operator = people["member"], people["operator"]
        self.member_by_name, self.operator_by_name = people["member by name"], people["operator by name"]
        self.projects = projects


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    with cloud(tmp_path_factory.mktemp("cloud")) as made:
        made.controller.command("hypervisor", "add", "hv1", "--datapath-id", "1", "--vtep", "192.0.2.1")
        by_token = ("--os-auth-type", "admin_token", "--os-endpoint", made.controller.url, "--os-token")
        with opened(tmp_path_factory.mktemp("commands"), OS_CLIENT_CONFIG_FILE=str(made.clouds)) as openstack:
            yield Terminal({
                # A token that is there already: Keystone need not make one for each command.
                "member": openstack.with_options(*by_token, made.keystone.token("demo", "demo", "demo")),
                "operator": openstack.with_options(*by_token, made.keystone.token("admin", PASSWORD, "admin")),
                "member by name": openstack.with_options("--os-cloud", "devstack-alt"),
                "operator by name": openstack.with_options("--os-cloud", "devstack-admin"),
            }, made.projects)


def column(rows: list[dict[str, Any]], name: str) -> list[Any]:
    return [row[name] for row in rows]


def test_networks(terminal: Terminal) -> None:
    member = terminal.member
    made = member.sees("network create --description mine --mtu 1400 --disable-port-security --tag a --tag b blue")
    assert (made["name"], made["mtu"], made["port_security_enabled"], sorted(made["tags"])) == (
        "blue", 1400, False, ["a", "b"])
    assert made["project_id"] == terminal.projects["demo"]
    assert column(member.sees("network list --name blue"), "ID") == [made["id"]]
    [row] = member.sees("network list --long --tags a,b")
    assert (row["Status"], row["State"], row["Shared"], row["Availability Zones"]) == ("ACTIVE", True, False, ["nova"])
    assert member.sees("network list --internal --enable --share") == []
    assert member.sees("network list --external") == []
    assert column(terminal.operator_by_name.sees("network list --project demo"), "Name") == ["blue"]
    member.does("network set --name azure --enable-port-security --description other blue")
    member.does("network unset --tag a azure")
    shown = member.sees("network show azure")
    assert (shown["description"], shown["port_security_enabled"], shown["tags"]) == ("other", True, ["b"])
    member.does("network set --no-tag --tag c --disable azure")
    shown = member.sees(f"network show {made['id']}")
    assert (shown["tags"], shown["admin_state_up"], shown["revision_number"] > 1) == (["c"], False, True)
    shared = terminal.operator_by_name.sees("network create --project demo --share everyone")
    assert (shared["shared"], shared["project_id"]) == (True, terminal.projects["demo"])
    assert "is disallowed by policy" in member.fails("network create --share mine")
    member.does("network delete azure everyone")
    assert "No Network found for azure" in member.fails("network show azure")
    assert "1 of 1 networks failed to delete" in member.fails("network delete azure")


def test_subnets_and_pools(terminal: Terminal) -> None:
    member = terminal.member
    member.does("network create pooled")
    made = member.sees("subnet create --network pooled --subnet-range 10.1.0.0/24 --gateway 10.1.0.254 --tag t "
                       "--dns-nameserver 9.9.9.9 --allocation-pool start=10.1.0.10,end=10.1.0.99 "
                       "--host-route destination=10.9.0.0/16,gateway=10.1.0.7 four")
    assert (made["cidr"], made["gateway_ip"], made["allocation_pools"], made["host_routes"]) == (
        "10.1.0.0/24", "10.1.0.254", [{"start": "10.1.0.10", "end": "10.1.0.99"}],
        [{"destination": "10.9.0.0/16", "nexthop": "10.1.0.7"}])
    [row] = member.sees("subnet list --network pooled --ip-version 4 --dhcp --long")
    assert row["Name Servers"] == ["9.9.9.9"]
    assert column(member.sees("subnet list --gateway 10.1.0.254 --subnet-range 10.1.0.0/24"), "ID") == [made["id"]]
    member.does("subnet set --dns-nameserver 8.8.8.8 --name vier --no-dhcp --gateway none four")
    member.does("subnet unset --dns-nameserver 9.9.9.9 --tag t "
                "--host-route destination=10.9.0.0/16,gateway=10.1.0.7 vier")
    shown = member.sees("subnet show vier")
    assert (shown["dns_nameservers"], shown["host_routes"], shown["tags"]) == (["8.8.8.8"], [], [])
    assert (shown["enable_dhcp"], shown["gateway_ip"]) == (False, None)
    assert "10.1.0.0/24" in member.fails("subnet create --network pooled --subnet-range 10.1.0.0/25 again")
    [free] = terminal.operator.sees("ip availability list --ip-version 4")
    assert (free["Network Name"], free["Total IPs"], free["Used IPs"]) == ("pooled", 90, 0)
    assert terminal.operator.sees("ip availability show pooled")["subnet_ip_availability"][0]["subnet_name"] == "vier"
    scope = member.sees("address scope create --ip-version 4 sc")
    member.does("address scope set --name scope sc")
    assert column(member.sees("address scope list --ip-version 4 --name scope"), "ID") == [scope["id"]]
    assert member.sees("address scope show scope")["ip_version"] == 4
    pool = member.sees("subnet pool create --pool-prefix 10.128.0.0/16 --default-prefix-length 26 "
                       "--min-prefix-length 24 --max-prefix-length 28 --default-quota 1000 p")
    assert (pool["prefixes"], pool["default_prefixlen"], pool["default_quota"]) == (["10.128.0.0/16"], 26, 1000)
    member.does("subnet pool set --pool-prefix 10.129.0.0/16 --name pool --tag k --address-scope scope p")
    member.does("subnet pool unset --tag k pool")
    shown = member.sees("subnet pool show pool")
    # Neighbouring prefixes are one.
    assert (shown["prefixes"], shown["tags"], shown["address_scope_id"]) == (["10.128.0.0/15"], [], scope["id"])
    assert column(member.sees("subnet pool list --long"), "Name") == ["pool"]
    member.does("subnet pool set --no-address-scope pool")
    member.does("network create cutnet")
    cut = member.sees("subnet create --network cutnet --subnet-pool pool --prefix-length 27 cut")
    assert cut["cidr"] == "10.128.0.0/27"
    member.does("subnet pool create --pool-prefix 10.1.0.0/16 wide")
    member.does("subnet pool add network pooled wide")
    member.does("network create onboarded")
    member.does("subnet create --network onboarded --subnet-range 10.2.0.0/24 fourth")
    member.does("network onboard subnet onboarded wide")
    wide = member.sees("subnet pool show wide")["id"]
    assert [member.sees(f"subnet show {name}")["subnetpool_id"] for name in ("vier", "fourth")] == [wide, wide]
    member.does("subnet delete vier cut fourth")
    member.does("subnet pool delete wide pool")
    member.does("address scope delete scope")
    member.does("network delete pooled cutnet onboarded")


def test_ports(terminal: Terminal) -> None:
    member, operator = terminal.member, terminal.operator
    member.does("network create ported")
    member.does("subnet create --network ported --subnet-range 10.1.0.0/24 four")
    member.does("subnet create --network ported --subnet-range 10.2.0.0/24 other")
    web = member.sees("port create --network ported --fixed-ip subnet=four,ip-address=10.1.0.50 --disable --tag p web")
    assert (web["fixed_ips"][0]["ip_address"], web["admin_state_up"], web["status"]) == ("10.1.0.50", False, "DOWN")
    assert len(web["security_group_ids"]) == 1
    pair = "ip-address=10.1.0.0/28,mac-address=fa:16:3e:00:00:09"
    db = member.sees(f"port create --network ported --no-security-group --allowed-address {pair} "
                     "--extra-dhcp-option name=mtu,value=1300 db")
    assert (db["security_group_ids"], db["allowed_address_pairs"], db["extra_dhcp_opts"][0]["opt_value"]) == (
        [], [{"ip_address": "10.1.0.0/28", "mac_address": "fa:16:3e:00:00:09"}], "1300")
    bound = terminal.operator_by_name.sees("port create --network ported --project demo --host hv1 --vnic-type normal "
                                           "--binding-profile a=b --device d1 --device-owner compute:nova bound")
    assert (bound["binding_vif_type"], bound["binding_host_id"], bound["binding_profile"], bound["project_id"]) == (
        "ovs", "hv1", {"a": "b"}, terminal.projects["demo"])
    assert sorted(column(member.sees("port list --network ported"), "Name")) == ["bound", "db", "web"]
    [row] = member.sees("port list --fixed-ip ip-address=10.1.0.50 --long")
    assert (row["ID"], row["Tags"], row["Status"]) == (web["id"], ["p"], "DOWN")
    assert column(member.sees("port list --fixed-ip ip-substring=1.0.50 --any-tags p,q"), "Name") == ["web"]
    assert column(member.sees(f"port list --mac-address {web['mac_address']}"), "Name") == ["web"]
    assert column(operator.sees("port list --device-owner compute:nova --host hv1"), "Name") == ["bound"]
    member.does("port set --enable --name www --fixed-ip subnet=other --device x web")
    shown = member.sees("port show www")
    assert (len(shown["fixed_ips"]), shown["device_id"], shown["admin_state_up"]) == (2, "x", True)
    member.does("port set --no-fixed-ip --fixed-ip subnet=four --no-security-group www")
    member.does("port set --security-group default www")
    member.does("port unset --security-group default --tag p www")
    shown = member.sees("port show www")
    assert (len(shown["fixed_ips"]), shown["security_group_ids"], shown["tags"]) == (1, [], [])
    member.does(f"port unset --allowed-address {pair} db")
    assert member.sees("port show db")["allowed_address_pairs"] == []
    operator.does("port unset --binding-profile a --host --device --device-owner bound")
    shown = operator.sees("port show bound")
    assert (shown["binding_vif_type"], shown["binding_profile"], shown["device_owner"]) == ("unbound", {}, "")
    assert "No Port found for nosuch" in member.fails("port delete nosuch")
    assert "still in use" in member.fails("network delete ported")
    trunks(member)
    member.does("port delete www db bound")
    member.does("network delete ported")


def trunks(member: Person) -> None:
    """On the network "ported"."""
    for name in ("parent", "sub", "second"):
        member.does(f"port create --network ported {name}")
    made = member.sees("network trunk create --parent-port parent "
                       "--subport port=sub,segmentation-type=vlan,segmentation-id=7 tr")
    assert [sub["segmentation_id"] for sub in made["sub_ports"]] == [7]
    member.does("network trunk set --name trunk1 --description tt tr")
    member.does("network trunk set --subport port=second,segmentation-type=vlan,segmentation-id=8 trunk1")
    assert sorted(column(member.sees("network subport list --trunk trunk1"), "Segmentation ID")) == [7, 8]
    member.does("network trunk unset --subport second trunk1")
    member.does("network trunk subport add --segmentation-type vlan --segmentation-id 9 trunk1 second")
    assert sorted(column(member.sees("network trunk subport list trunk1"), "Segmentation ID")) == [7, 9]
    member.does("network trunk subport remove trunk1 second")
    assert len(member.sees("network trunk show trunk1")["sub_ports"]) == 1
    assert column(member.sees("network trunk list --long"), "Name") == ["trunk1"]
    assert "No Trunk found for nosuch" in member.fails("network trunk delete nosuch")
    member.does("network trunk delete trunk1")
    member.does("port delete parent sub second")


def test_routers(terminal: Terminal) -> None:
    member = terminal.member
    member.does("network create routed")
    member.does("subnet create --network routed --subnet-range 10.1.0.0/24 four")
    member.does("subnet create --network routed --subnet-range 10.2.0.0/24 other")
    made = member.sees("router create --description r --tag z r1")
    assert (made["status"], made["admin_state_up"], made["tags"], made["availability_zones"]) == (
        "ACTIVE", True, ["z"], ["nova"])
    member.does("router create --disable r2")
    member.does("router add subnet r1 four")
    member.does("port create --network routed --fixed-ip subnet=other,ip-address=10.2.0.200 leg")
    member.does("router add port r1 leg")
    shown = member.sees("router show r1")
    assert sorted(leg["ip_address"] for leg in shown["interfaces_info"]) == ["10.1.0.1", "10.2.0.200"]
    assert sorted(column(member.sees("port list --router r1"), "Name")) == ["", "leg"]
    member.does("router set --name r-one --route destination=10.50.0.0/16,gateway=10.1.0.77 r1")
    assert len(member.sees("router add route --route destination=10.51.0.0/16,gateway=10.1.0.78 r-one")["routes"]) == 2
    [route] = member.sees("router remove route --route destination=10.50.0.0/16,gateway=10.1.0.77 r-one")["routes"]
    assert route == {"destination": "10.51.0.0/16", "nexthop": "10.1.0.78"}
    member.does("router unset --route destination=10.51.0.0/16,gateway=10.1.0.78 --tag z r-one")
    [row] = member.sees("router list --long --name r-one")
    assert (row["Routes"], row["Tags"]) == ([], [])
    assert "still has ports" in member.fails("router delete r-one")
    member.does("router remove port r-one leg")
    member.does("router remove subnet r-one four")
    assert member.sees("router show r-one")["interfaces_info"] == []
    member.does("router delete r-one r2")
    member.does("network delete routed")


def test_a_topology_for_who_asks_for_any(terminal: Terminal) -> None:
    member, operator = terminal.member_by_name, terminal.operator
    create = "network auto allocated topology create --or-show"
    assert "No default router:external network" in member.fails(f"{create} --check-resources")
    operator.does("network create --external --default way-out")
    operator.does("subnet create --network way-out --subnet-range 198.51.100.0/24 --no-dhcp way-out")
    operator.does("subnet pool create --pool-prefix 10.70.0.0/16 --default-prefix-length 26 --default --share ranges")
    member.does(f"{create} --check-resources")
    assert "auto_allocated_network" not in column(member.sees("network list"), "Name")
    made = member.sees(create)
    assert made == member.sees(create)
    assert member.sees(f"network show {made['id']}")["name"] == "auto_allocated_network"
    member.does("network auto allocated topology delete")
    operator.does("subnet pool delete ranges")
    operator.does("network delete way-out")
    [provider] = member.sees("network service provider list")
    assert (provider["Service Type"], provider["Name"], provider["Default"]) == ("L3_ROUTER_NAT", "openflow", True)


def test_gateways_and_floating_addresses(terminal: Terminal) -> None:
    member, operator = terminal.member, terminal.operator
    outside = operator.sees("network create --external outside")
    assert (outside["router:external"], outside["id"]) == (True, member.sees("network list --external")[0]["ID"])
    operator.does("subnet create --network outside --subnet-range 203.0.113.0/24 --no-dhcp public")
    member.does("network create inside")
    member.does("subnet create --network inside --subnet-range 10.5.0.0/24 private")
    member.does("router create way")
    member.does("router add subnet way private")
    member.does("router set --external-gateway outside way")
    gateway = member.sees("router show way")["external_gateway_info"]
    assert (gateway["network_id"], gateway["enable_snat"]) == (outside["id"], True)
    member.does("port create --network inside --fixed-ip subnet=private,ip-address=10.5.0.9 server")
    made = member.sees("floating ip create --port server --description d --tag f outside")
    assert (made["fixed_ip_address"], made["floating_network_id"], made["tags"]) == ("10.5.0.9", outside["id"], ["f"])
    address = made["floating_ip_address"]
    [row] = member.sees("floating ip list --long --network outside --router way --fixed-ip-address 10.5.0.9")
    assert (row["Floating IP Address"], row["Port"], row["Tags"]) == (address, made["port_id"], ["f"])
    member.does(f"floating ip unset --port --tag f {address}")
    shown = member.sees(f"floating ip show {address}")
    assert (shown["port_id"], shown["tags"]) == (None, [])
    member.does(f"floating ip set --port server {made['id']}")
    assert "gateway" in member.fails("router unset --external-gateway way")
    member.does(f"floating ip delete {address}")
    member.does("router unset --external-gateway way")
    assert "multihoming" in member.fails("router add gateway way outside")
    assert "multihoming" in member.fails("router remove gateway way outside")
    member.does("router remove subnet way private")
    member.does("router delete way")
    member.does("port delete server")
    member.does("network delete inside")
    operator.does("network delete outside")


def test_security_groups(terminal: Terminal) -> None:
    member, operator = terminal.member, terminal.operator
    made = member.sees("security group create --tag w web")
    assert (made["description"], made["stateful"], made["tags"], len(made["rules"])) == ("web", True, ["w"], 2)
    assert member.sees("security group create --stateless --description none plain")["stateful"] is False
    assert {"default", "web", "plain"} <= set(column(member.sees("security group list"), "Name"))
    member.does("security group set --name group --description about web")
    member.does("security group unset --tag w group")
    group = member.sees("address group create --address 10.0.0.0/24 --address 10.3.0.1 --description g ag")
    assert group["addresses"] == ["10.0.0.0/24", "10.3.0.1/32"]
    member.does("address group set --name addresses --address 10.7.0.0/16 ag")
    member.does("address group unset --address 10.3.0.1 addresses")
    assert column(member.sees("address group list --name addresses"), "Addresses") == [["10.0.0.0/24", "10.7.0.0/16"]]
    assert member.sees("address group show addresses")["description"] == "g"
    rule = "security group rule create"
    web = member.sees(f"{rule} --protocol tcp --dst-port 80:443 --remote-ip 10.0.0.0/8 group")
    assert (web["port_range_min"], web["port_range_max"], web["normalized_cidr"], web["direction"]) == (
        80, 443, "10.0.0.0/8", "ingress")
    echo = member.sees(f"{rule} --protocol icmp --icmp-type 8 --icmp-code 0 group")
    assert (echo["port_range_min"], echo["port_range_max"]) == (8, 0)
    own = member.sees(f"{rule} --egress --ethertype IPv6 --protocol udp --remote-group group group")
    assert own["remote_group_id"] == made["id"]
    member.does(f"{rule} --remote-address-group addresses --protocol tcp group")
    assert member.sees(f"{rule} --protocol any group")["protocol"] is None
    assert "already exists" in member.fails(f"{rule} --protocol any group")
    assert len(member.sees("security group rule list group --ingress --protocol tcp")) == 2
    assert member.sees(f"security group rule show {web['id']}")["security_group_id"] == made["id"]
    member.does(f"security group rule delete {web['id']} {echo['id']}")
    shown = member.sees("security group show group")
    assert (shown["description"], shown["tags"], len(shown["rules"])) == ("about", [], 5)
    member.does("security group delete group plain")
    member.does("address group delete addresses")
    first = operator.sees("default security group rule create --ingress --protocol tcp --dst-port 22 --for-custom-sg")
    assert member.sees(f"default security group rule show {first['id']}")["port_range_max"] == 22
    assert first["id"] in column(member.sees("default security group rule list"), "ID")
    operator.does(f"default security group rule delete {first['id']}")


def test_quality_of_service(terminal: Terminal) -> None:
    operator, member = terminal.operator, terminal.member
    made = operator.sees("network qos policy create --share slow")
    assert member.sees("network qos policy list")[0] == {
        "ID": made["id"], "Name": "slow", "Shared": True, "Default": False, "Project": made["project_id"]}
    rule = "network qos rule create --type"
    limit = operator.sees(f"{rule} bandwidth-limit --max-kbps 1000 --max-burst-kbits 100 --ingress slow")
    assert (limit["max_kbps"], limit["max_burst_kbps"], limit["direction"]) == (1000, 100, "ingress")
    assert operator.sees(f"{rule} dscp-marking --dscp-mark 26 slow")["dscp_mark"] == 26
    assert operator.sees(f"{rule} minimum-bandwidth --min-kbps 10 --egress slow")["min_kbps"] == 10
    assert operator.sees(f"{rule} minimum-packet-rate --min-kpps 10 --any slow")["min_kpps"] == 10
    operator.does(f"network qos rule set --max-kbps 2000 slow {limit['id']}")
    assert operator.sees(f"network qos rule show slow {limit['id']}")["max_kbps"] == 2000
    assert set(column(member.sees("network qos rule list slow"), "Type")) == {
        "bandwidth_limit", "dscp_marking", "minimum_bandwidth", "minimum_packet_rate"}
    operator.does(f"network qos rule delete slow {limit['id']}")
    assert "bandwidth_limit" in column(member.sees("network qos rule type list"), "Type")
    assert len(operator.sees("network qos rule type list --all-rules")) == 5
    assert operator.sees("network qos rule type show bandwidth_limit")["drivers"][0]["name"] == "openflow"
    operator.does("network create --qos-policy slow ruled")
    assert operator.sees("network show ruled")["qos_policy_id"] == made["id"]
    operator.does("network set --no-qos-policy ruled")
    operator.does("network delete ruled")
    operator.does("network qos policy set --name slower --no-share --default --description q slow")
    shown = operator.sees("network qos policy show slower")
    assert (shown["is_default"], shown["shared"], shown["description"]) == (True, False, "q")
    operator.does("network qos policy delete slower")


def test_sharing(terminal: Terminal) -> None:
    member, operator = terminal.member, terminal.operator
    member.does("network create lent")
    made = terminal.operator_by_name.sees("network rbac create --type network --action access_as_shared "
                                          "--target-project alt lent")
    assert made["target_project_id"] == terminal.projects["alt"]
    terminal.operator_by_name.does(f"network rbac set --target-project service {made['id']}")
    assert operator.sees(f"network rbac show {made['id']}")["object_type"] == "network"
    every = operator.sees("network rbac create --type network --action access_as_shared --target-all-projects lent")
    listed = operator.sees("network rbac list --type network --action access_as_shared --long")
    assert made["id"] in column(listed, "ID")
    operator.does(f"network rbac delete {made['id']} {every['id']}")
    member.does("network delete lent")


def test_quotas(terminal: Terminal) -> None:
    member, operator = terminal.member_by_name, terminal.operator_by_name

    def limits(rows: list[dict[str, Any]]) -> dict[str, int]:
        return {row["Resource"]: row["Limit"] for row in rows}

    operator.does("quota set --networks 50 --subnets 3 alt")
    assert limits(member.sees("quota show"))["networks"] == 50
    assert limits(operator.sees("quota show alt"))["subnets"] == 3
    [used] = [row for row in operator.sees("quota show --usage alt") if row["Resource"] == "networks"]
    assert (used["Limit"], used["In Use"], used["Reserved"]) == (50, 0, 0)
    assert limits(operator.sees("quota show --default"))["networks"] == -1
    [row] = operator.sees("quota list --network")
    assert (row["Project ID"], row["Networks"]) == (terminal.projects["alt"], 50)
    member.does("network create one")
    assert "quota" in operator.fails("quota set --networks 0 --check-limit alt").lower()
    operator.does("quota set --networks 1 --force alt")
    assert "Quota exceeded" in member.fails("network create two")
    operator.does("quota delete --network alt")
    member.does("network delete one")


def test_the_cloud(terminal: Terminal) -> None:
    operator, member = terminal.operator, terminal.member
    [agent] = operator.sees("network agent list --host hv1 --agent-type open-vswitch")
    assert (agent["Alive"], agent["State"], agent["Availability Zone"]) == (False, True, "nova")
    operator.does(f"network agent set --disable --description old {agent['ID']}")
    shown = operator.sees(f"network agent show {agent['ID']}")
    assert (shown["admin_state_up"], shown["description"]) == (False, "old")
    assert set(column(member.sees("availability zone list --network"), "Zone Status")) == {"not available"}
    operator.does(f"network agent delete {agent['ID']}")
    assert operator.sees("network agent list") == []
    assert member.sees("extension show router")["name"] == "Neutron L3 Router"
    aliases = set(column(member.sees("extension list --network"), "Alias"))
    assert {"router", "trunk", "naas-vif"} <= aliases
    member.does("network create segmented")
    [segment] = operator.sees("network segment list --network segmented --long")
    assert (segment["Network Type"], segment["Physical Network"]) == ("vxlan", None)
    operator.does(f"network segment set --name s {segment['ID']}")
    assert operator.sees("network segment show s")["id"] == segment["ID"]
    member.does("network delete segmented")


def test_without_a_keystone(tmp_path: Path) -> None:
    """By the variables that docs/api.md says, with the command as it is installed."""
    controller = Controller(tmp_path, ("127.0.0.1", free_port()))
    controller.start()
    try:
        token = controller.command("token", "create", "--project", "p", "--role", "member")
        password = controller.command("user", "create", "al", "--project", "p", "--generate")
        common = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        common["OS_ENDPOINT"] = controller.url
        for name, who in (("one", {"OS_AUTH_TYPE": "admin_token", "OS_TOKEN": token}),
                          ("two", {"OS_AUTH_TYPE": "http_basic", "OS_USERNAME": "al", "OS_PASSWORD": password})):
            command = [sys.executable, "-W", "ignore", "-m", "openstackclient.shell", "network", "create", name]
            done = subprocess.run([*command, "-f", "json"], env={**common, **who}, capture_output=True, text=True,
                                  check=False)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["project_id"] == "p"
    finally:
        controller.stop()
    assert controller.complaints() == []


@pytest.mark.parametrize("command", REFUSED)
def test_what_is_not_there_is_said_in_a_line(terminal: Terminal, command: str) -> None:
    assert terminal.operator.fails(command).count("\n") == 1


def test_no_command_is_left_out(terminal: Terminal, request: pytest.FixtureRequest) -> None:
    ran = {item.name for item in request.session.items if item.path == Path(__file__)}
    if not {name for name in globals() if name.startswith("test_") and "what_is_not_there" not in name} <= ran:
        pytest.skip("says nothing when others did not run")
    left = {name for name in names() if not any(name.startswith(begin) for begin in NOT_SERVED)} - terminal.tried
    assert left == set()
    known = names()
    assert [begin for begin in NOT_SERVED if not any(name.startswith(begin) for name in known)] == []
