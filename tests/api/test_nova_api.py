"""Nova's own network code against our server and a real Keystone: from the boot of a machine to its end."""
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.support.clouds import Cloud, cloud
from tests.support.keystone import PASSWORD
from tests.support.nova_network import Nova, NovaError, opened


@dataclass(frozen=True, slots=True)
class Tenant:
    """Of the project "demo"; Nova works for him, and the rest he asks for himself."""

    nova: Nova
    api: str
    token: str
    nova_s_token: str
    """Of Nova's own account, which sees what he does not."""

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        """Raises requests.HTTPError."""
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(method, f"{self.api}/v2.0/{path}", json=body, timeout=20,
                                     headers={"X-Auth-Token": token or self.token})
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def make(self, kind: str, **values: Any) -> str:
        made: str = self.ask("POST", f"{kind}s", {kind: values})[kind]["id"]
        return made

    def port(self, port: str) -> dict[str, Any]:
        """As Nova's account sees it."""
        shown: dict[str, Any] = self.ask("GET", f"ports/{port}", token=self.nova_s_token)["port"]
        return shown

    def ports(self, query: str) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = self.ask("GET", f"ports?{query}", token=self.nova_s_token)["ports"]
        return shown

    def bindings(self, port: str) -> dict[str, str]:
        """Their statuses, by host."""
        found = self.ask("GET", f"ports/{port}/bindings", token=self.nova_s_token)["bindings"]
        return {binding["host"]: binding["status"] for binding in found}

    def boot(self, *networks: dict[str, str], groups: tuple[str, ...] = ()) -> tuple[str, list[dict[str, Any]]]:
        """A machine on hv1: its UUID, and what Nova then knows of its interfaces."""
        machine = self.nova.call("boot", host="hv1")
        return machine, self.nova.call("allocate_for_instance", machine=machine, networks=networks, groups=groups)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with cloud(tmp_path_factory.mktemp("cloud")) as made:
        for number, host in enumerate(("hv1", "hv2"), 1):
            made.controller.command("hypervisor", "add", host, "--datapath-id", str(number),
                                    "--vtep", f"192.0.2.{number}")
        # No "admin" beside it: docs/nova.md says that this is enough.
        made.keystone.make_user("nova", made.projects["service"], "service")
        yield made


@pytest.fixture(scope="module")
def tenant(made: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    with opened(tmp_path_factory.mktemp("nova"), made, "nova") as nova:
        yield Tenant(nova, made.controller.url, made.keystone.token("demo", "demo", "demo"),
                     made.keystone.token("nova", "nova", "service"))


@pytest.fixture(scope="module")
def network(tenant: Tenant) -> str:
    network = tenant.make("network", name="blue")
    tenant.make("subnet", network_id=network, ip_version=4, cidr="10.0.0.0/24", dns_nameservers=["9.9.9.9"])
    return network


def test_a_machine_s_life(tenant: Tenant, network: str) -> None:
    """Boot on a network, live migration, a second address, the end."""
    nova = tenant.nova
    assert nova.call("validate_networks", networks=[{"network": network}], count=3) == 3
    machine, [vif] = tenant.boot({"network": network}, groups=("default",))
    port = tenant.port(vif["id"])
    assert (port["device_id"], port["device_owner"], port["binding:host_id"], port["binding:vif_type"]) == (
        machine, "compute:nova", "hv1", "ovs")
    [group] = tenant.ask("GET", "security-groups?name=default")["security_groups"]
    assert (port["project_id"], port["security_groups"]) == (group["project_id"], [group["id"]])
    assert vif == {
        "id": port["id"], "mac": port["mac_address"], "type": "ovs", "devname": f"tap{port['id'][:11]}",
        "active": False, "details": port["binding:vif_details"], "profile": {}, "preserve_on_delete": False,
        "bridge": "br-int", "network": network, "mtu": 1450,
        "addresses": [port["fixed_ips"][0]["ip_address"]], "gateways": ["10.0.0.1"], "dns": ["9.9.9.9"]}

    assert nova.call("has_port_binding_extension")
    nova.call("setup_networks_on_host", machine=machine, host="hv2", teardown=False)
    assert tenant.port(port["id"])["binding:profile"] == {"migrating_to": "hv2"}
    bound = nova.call("bind_ports_to_host", machine=machine, host="hv2")
    assert (bound[port["id"]]["vif_type"], bound[port["id"]]["status"]) == ("ovs", "INACTIVE")
    assert tenant.bindings(port["id"]) == {"hv1": "ACTIVE", "hv2": "INACTIVE"}
    nova.call("migrate_instance_start", machine=machine, source="hv1", target="hv2")
    assert tenant.bindings(port["id"]) == {"hv1": "INACTIVE", "hv2": "ACTIVE"}
    nova.call("move", machine=machine, host="hv2")
    nova.call("migrate_instance_finish", machine=machine, source="hv1", target="hv2")
    nova.call("cleanup_instance_network_on_host", machine=machine, host="hv1")
    moved = tenant.port(port["id"])
    assert (moved["binding:host_id"], moved["binding:profile"], tenant.bindings(port["id"])) == (
        "hv2", {}, {"hv2": "ACTIVE"})
    assert nova.call("get_instance_nw_info", machine=machine) == [vif]

    assert nova.call("add_fixed_ip_to_instance", machine=machine, network=network) == 1
    second = [ip["ip_address"] for ip in tenant.port(port["id"])["fixed_ips"]]
    assert len(second) == 2
    nova.call("remove_fixed_ip_from_instance", machine=machine, address=second[1])
    assert [ip["ip_address"] for ip in tenant.port(port["id"])["fixed_ips"]] == second[:1]

    nova.call("deallocate_for_instance", machine=machine)
    assert tenant.ports(f"device_id={machine}") == []
    assert nova.call("information", machine=machine) == []


def test_a_migration_given_up(tenant: Tenant, network: str) -> None:
    machine, [vif] = tenant.boot({"network": network})
    tenant.nova.call("setup_networks_on_host", machine=machine, host="hv2", teardown=False)
    tenant.nova.call("bind_ports_to_host", machine=machine, host="hv2")
    tenant.nova.call("setup_networks_on_host", machine=machine, host="hv2", teardown=True)
    # Nova lists the ports with its user's token here, which shows no profile; so its mark stays, as with Neutron.
    assert tenant.port(vif["id"])["binding:profile"] == {"migrating_to": "hv2"}
    assert tenant.bindings(vif["id"]) == {"hv1": "ACTIVE"}
    with pytest.raises(NovaError, match=f"PortBindingFailed.*{vif['id']}"):
        tenant.nova.call("bind_ports_to_host", machine=machine, host="nowhere")
    tenant.nova.call("deallocate_for_instance", machine=machine)


def test_a_cold_migration(tenant: Tenant, network: str) -> None:
    """Without bindings made before: the port is bound anew."""
    machine, [vif] = tenant.boot({"network": network})
    tenant.nova.call("setup_networks_on_host", machine=machine, host="hv2", teardown=False)
    tenant.nova.call("migrate_instance_start", machine=machine, source="hv1", target="hv2")
    assert tenant.port(vif["id"])["binding:host_id"] == "hv1"
    tenant.nova.call("move", machine=machine, host="hv2")
    tenant.nova.call("setup_instance_network_on_host", machine=machine, host="hv2")
    port = tenant.port(vif["id"])
    assert (port["binding:host_id"], port["binding:vif_type"], port["binding:profile"]) == ("hv2", "ovs", {})
    tenant.nova.call("deallocate_for_instance", machine=machine)


def test_a_port_that_was_there_is_there_afterwards(tenant: Tenant, network: str) -> None:
    own = tenant.make("port", network_id=network, name="own")
    machine, [vif, other] = tenant.boot({"port": own, "network": network}, {"network": network})
    assert (vif["id"], vif["preserve_on_delete"], other["preserve_on_delete"]) == (own, True, False)
    with pytest.raises(NovaError, match=f"PortInUse.*{own}"):
        tenant.boot({"port": own, "network": network})
    # What Nova deletes with its own token beside his, he alone may not.
    with pytest.raises(requests.HTTPError, match="403"):
        tenant.ask("DELETE", f"ports/{other['id']}")
    assert tenant.nova.call("deallocate_port_for_instance", machine=machine, port=other["id"]) == 1
    tenant.nova.call("deallocate_for_instance", machine=machine)
    port = tenant.port(own)
    assert (port["device_id"], port["device_owner"], port["binding:vif_type"], port["binding:host_id"]) == (
        "", "", "unbound", "")
    tenant.ask("DELETE", f"ports/{own}")


def test_an_address_that_is_asked_for(tenant: Tenant, network: str) -> None:
    machine, [vif] = tenant.boot({"network": network, "address": "10.0.0.77"})
    assert vif["addresses"] == ["10.0.0.77"]
    with pytest.raises(NovaError, match="FixedIpAlreadyInUse"):
        tenant.boot({"network": network, "address": "10.0.0.77"})
    with pytest.raises(NovaError, match="InvalidInput"):
        tenant.boot({"network": network, "address": "192.168.0.1"})
    tenant.nova.call("deallocate_for_instance", machine=machine)


def test_no_network_is_named(tenant: Tenant, network: str) -> None:
    """His only one is meant."""
    machine, [vif] = tenant.boot()
    assert vif["network"] == network
    tenant.nova.call("deallocate_for_instance", machine=machine)


def test_what_nova_makes_of_refusals(tenant: Tenant, network: str, made: Cloud) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(NovaError, match=f"NetworkNotFound.*{nobody}"):
        tenant.nova.call("validate_networks", networks=[{"network": nobody}], count=1)
    with pytest.raises(NovaError, match=f"PortNotFound.*{nobody}"):
        tenant.boot({"port": nobody})
    with pytest.raises(NovaError, match="SecurityGroupNotFound"):
        tenant.boot({"network": network}, groups=("nosuch",))
    bare = tenant.make("network", name="bare")
    with pytest.raises(NovaError, match="SecurityGroupCannotBeApplied"):
        tenant.boot({"network": bare})
    small = tenant.make("network", name="small")
    tenant.make("subnet", network_id=small, ip_version=4, cidr="10.9.0.0/30", gateway_ip=None, enable_dhcp=False)
    machine, _ = tenant.boot({"network": small}, {"network": small})
    with pytest.raises(NovaError, match="NoMoreFixedIps"):
        tenant.boot({"network": small})
    admin = made.keystone.token("admin", PASSWORD, "admin")
    tenant.ask("PUT", f"quotas/{made.projects['demo']}", {"quota": {"port": 3}}, token=admin)
    assert tenant.nova.call("validate_networks", networks=[{"network": network}], count=5) == 1
    with pytest.raises(NovaError, match="PortLimitExceeded"):
        tenant.boot({"network": network}, {"network": network})
    tenant.ask("DELETE", f"quotas/{made.projects['demo']}", token=admin)
    # What was made for a machine that did not come to be is gone.
    assert [port["device_id"] for port in tenant.ports(f"project_id={made.projects['demo']}")
            if re.match("compute:", port["device_owner"])] == [machine, machine]
    tenant.nova.call("deallocate_for_instance", machine=machine)
    for name in (bare, small):
        tenant.ask("DELETE", f"networks/{name}")
