"""Use case 6: subnets by CIDR or by address and netmask; a VIF that is on the network already gets its lease."""
from __future__ import annotations

import pytest

from tests.mininet.lab import VM, ApiRefused, Lab, eventually

TENANTS = ("alice", "bob")


class Site:
    """A network with a subnet by CIDR, and a machine plugged before there was any subnet."""

    def __init__(self, lab: Lab) -> None:
        self.api = lab.tenant("alice")
        self.network = self.api.post("networks", {"name": "site"})
        self.port = self.api.post("ports", {"network_id": self.network["id"]})
        self.machine: VM = lab.vm("early", self.port, lab.hypervisors[0], static=False)
        self.subnet = self.api.post("subnets", {
            "network_id": self.network["id"], "ip_version": 4, "cidr": "10.6.0.0/24",
            "dns_nameservers": ["9.9.9.9"], "host_routes": [{"destination": "172.16.0.0/12", "nexthop": "10.6.0.9"}]})
        [self.vif] = [vif for vif in self.api.get("vifs") if vif["port_id"] == self.port["id"]]

    def attach(self, vif: str, subnet: str, **more: str) -> dict[str, str]:
        attached: dict[str, str] = self.api.act(f"vifs/{vif}/attach_subnet", {"subnet_id": subnet, **more})
        return attached


@pytest.fixture(scope="module")
def site(lab: Lab) -> Site:
    return Site(lab)


def test_a_vif_without_a_subnet_has_no_address(site: Site) -> None:
    assert site.port["fixed_ips"] == []
    assert site.machine.addresses() == []


def test_attach_subnet_gives_the_vif_its_lease(site: Site) -> None:
    site.attach(site.vif["id"], site.subnet["id"], ip_address="10.6.0.66")
    lease = site.machine.dhcp("udhcpc")
    assert lease.ip == "10.6.0.66"
    assert site.machine.addresses() == ["10.6.0.66/24"]
    assert lease.options["router"] == lease.options["serverid"] == site.subnet["gateway_ip"]
    assert lease.options["dns"] == "9.9.9.9"
    assert site.machine.routes()["172.16.0.0/12"] == "10.6.0.9"
    assert site.machine.mtu() == site.network["mtu"]
    assert site.machine.reaches(site.subnet["gateway_ip"])


def test_a_second_client_is_told_the_same(site: Site) -> None:
    lease = site.machine.dhcp("dhclient")
    assert lease.ip == "10.6.0.66"
    assert lease.options["domain_name_servers"] == "9.9.9.9"
    assert lease.options["routers"] == lease.options["dhcp_server_identifier"] == site.subnet["gateway_ip"]
    assert int(lease.options["interface_mtu"]) == site.network["mtu"]


def test_a_subnet_by_address_and_netmask_without_gateway(lab: Lab, site: Site) -> None:
    """DHCP is answered from an allocated service address, by broadcast and then by unicast."""
    subnet = site.api.post("subnets", {"network_id": site.network["id"], "ip_version": 4, "address": "192.168.40.0",
                                       "netmask": "255.255.255.0", "gateway_ip": None})
    assert subnet["cidr"] == "192.168.40.0/24"
    port = site.api.post("ports", {"network_id": site.network["id"], "fixed_ips": [{"subnet_id": subnet["id"]}]})
    machine = lab.vm("masked", port, lab.hypervisors[1], static=False)
    lease = machine.dhcp("udhcpc")
    assert lease.ip == port["fixed_ips"][0]["ip_address"]
    assert "router" not in lease.options
    [service] = [port for port in lab.operator.get("ports", network_id=site.network["id"])
                 if port["device_owner"] == "network:dhcp" and port["fixed_ips"][0]["subnet_id"] == subnet["id"]]
    assert lease.options["serverid"] == service["fixed_ips"][0]["ip_address"]
    # udhcpc renews on SIGUSR1, by unicast to the server identifier, whose ARP must be answered.
    machine.inside("ip", "neigh", "flush", "dev", "eth0")
    with machine.capture("port 67 or arp") as heard:
        machine.inside("kill", "-USR1", (machine.directory / "udhcpc.pid").read_text().strip())
        eventually(lambda: machine.neighbour(lease.options["serverid"]) == service["mac_address"], "ARP is answered")
    renewed = heard.matching(rf"{lease.ip}\.68 > {lease.options['serverid']}\.67")
    assert renewed
    assert heard.matching(rf"{lease.options['serverid']}\.67 > {lease.ip}\.68")


def test_a_vif_of_another_network_is_refused(lab: Lab, site: Site) -> None:
    elsewhere = site.api.post("networks", {"name": "elsewhere"})
    subnet = site.api.post("subnets", {"network_id": elsewhere["id"], "ip_version": 4, "cidr": "10.66.0.0/24"})
    with pytest.raises(ApiRefused, match=elsewhere["id"]) as refused:
        site.attach(site.vif["id"], subnet["id"])
    assert refused.value.status == 400
    [addresses] = [vif["fixed_ips"] for vif in site.api.get("vifs") if vif["id"] == site.vif["id"]]
    assert [address["ip_address"] for address in addresses] == ["10.6.0.66"]


def test_another_tenant_s_vif_is_not_there(lab: Lab, site: Site) -> None:
    with pytest.raises(ApiRefused) as refused:
        lab.tenant("bob").act(f"vifs/{site.vif['id']}/attach_subnet", {"subnet_id": site.subnet["id"]})
    assert refused.value.status == 404


def test_a_client_that_asks_for_another_s_address_gets_its_own(site: Site) -> None:
    lease = site.machine.dhcp("udhcpc", "-r", "10.6.0.200")
    assert lease.ip == "10.6.0.66"


def test_detach_subnet_takes_the_address_away(site: Site) -> None:
    site.api.act(f"vifs/{site.vif['id']}/detach_subnet", {"subnet_id": site.subnet["id"]})
    gateway = site.subnet["gateway_ip"]
    eventually(lambda: site.machine.ping(gateway, 1).received == 0, "the address is not the machine's any more")
    assert site.machine.hears_nothing_from(gateway)
