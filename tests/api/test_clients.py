"""Real OpenStack clients against `naas-sdn serve`, with the API in the controller and in processes of its own."""
from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import openstack
import pytest
import requests
from openstack import exceptions
from openstack.connection import Connection

from tests.support.controller import Controller, free_port, run_command
from tests.support.fleet import until

# The SDK warns of its own future.
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")


@pytest.fixture(scope="module", params=[0, 2], ids=["in the controller", "two workers"])
def controller(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    made = Controller(tmp_path_factory.mktemp("controller"), ("127.0.0.1", free_port()), workers=request.param)
    made.start()
    try:
        yield made
    finally:
        status = made.stop()
    assert (made.complaints(), status) == ([], 0)


def connect(controller: Controller, project: str, role: str) -> Connection:
    token = controller.command("token", "create", "--project", project, "--role", role)
    return openstack.connect(auth_type="admin_token", auth={"endpoint": controller.url, "token": token},
                             load_yaml_config=False, load_envvars=False, app_name="naas-sdn-tests")


@pytest.fixture(scope="module")
def cloud(controller: Controller) -> Iterator[Connection]:
    with connect(controller, "alice", "member") as made:
        yield made


def test_a_tenant_s_day(cloud: Connection) -> None:
    network = cloud.network.create_network(name="blue", description="mine")
    assert (network.status, network.mtu, network.is_admin_state_up) == ("ACTIVE", 1450, True)
    subnet = cloud.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.0.0.0/24", name="blue-v4",
                                         dns_nameservers=["9.9.9.9"])
    assert subnet.gateway_ip == "10.0.0.1"
    port = cloud.network.create_port(network_id=network.id, name="web")
    assert port.fixed_ips == [{"subnet_id": subnet.id, "ip_address": "10.0.0.2"}]
    router = cloud.network.create_router(name="r")
    interface = cloud.network.add_interface_to_router(router, subnet_id=subnet.id)
    assert cloud.network.get_port(interface["port_id"]).device_id == router.id
    assert cloud.network.update_port(port, name="db").name == "db"
    assert cloud.network.find_network("blue").id == network.id
    assert [found.id for found in cloud.network.ports(network_id=network.id, name="db")] == [port.id]
    assert [found.id for found in cloud.network.subnets(network_id=network.id)] == [subnet.id]
    cloud.network.remove_interface_from_router(router, subnet_id=subnet.id)
    for delete, thing in ((cloud.network.delete_port, port), (cloud.network.delete_router, router),
                          (cloud.network.delete_subnet, subnet), (cloud.network.delete_network, network)):
        delete(thing, ignore_missing=False)
    assert cloud.network.find_network("blue") is None


def test_a_user_s_name_and_password_do_as_well(controller: Controller) -> None:
    password = controller.command("user", "create", "al", "--project", "al-s", "--generate")
    with openstack.connect(auth_type="http_basic", load_yaml_config=False, load_envvars=False,
                           auth={"endpoint": controller.url, "username": "al", "password": password}) as cloud:
        assert cloud.network.create_network(name="al's").project_id == "al-s"
        controller.command("user", "delete", "al")
        with pytest.raises(exceptions.HttpException, match="401"):
            cloud.network.create_network()


def test_it_says_that_it_is_ready_in_whatever_process_answers(controller: Controller, cloud: Connection) -> None:
    """And the log has what the answer's request ID changed."""
    with requests.Session() as session:
        session.trust_env = False
        until(lambda: session.get(f"{controller.url}/readyz", timeout=5).json() == {"ready": True, "reasons": []})
    network = cloud.network.create_network(name="noted")
    until(lambda: f'"ids": ["{network.id}"], "status": 201' in controller.log.read_text())
    cloud.network.delete_network(network)


def test_errors_are_the_sdk_s_own(cloud: Connection) -> None:
    with pytest.raises(exceptions.NotFoundException, match="could not be found"):
        cloud.network.get_network("00000000-0000-4000-8000-000000000000")
    with pytest.raises(exceptions.BadRequestException, match="mtu"):
        cloud.network.create_network(mtu="much")
    network = cloud.network.create_network()
    cloud.network.create_port(network_id=network.id)
    with pytest.raises(exceptions.ConflictException, match="in use"):
        cloud.network.delete_network(network, ignore_missing=False)
    with pytest.raises(exceptions.ForbiddenException):
        cloud.network.create_network(is_shared=True)


def test_pages_and_bulk(cloud: Connection) -> None:
    network = cloud.network.create_network(name="paged")
    made = cloud.network.create_ports([{"network_id": network.id, "name": f"p{number}"} for number in range(7)])
    listed = [port.id for port in cloud.network.ports(network_id=network.id, limit=2)]
    assert sorted(listed) == sorted(port.id for port in made)
    assert len(set(listed)) == 7


def test_policies_and_extensions(controller: Controller, cloud: Connection) -> None:
    with connect(controller, "operator", "admin") as operator:
        policy = operator.network.create_qos_policy(name="slow", is_shared=True)
        rule = operator.network.create_qos_bandwidth_limit_rule(policy, max_kbps=1000, direction="ingress")
        assert [found.id for found in operator.network.qos_bandwidth_limit_rules(policy)] == [rule.id]
        assert operator.network.update_qos_bandwidth_limit_rule(rule, policy, max_kbps=2000).max_kbps == 2000
        marked = operator.network.create_qos_dscp_marking_rule(policy, dscp_mark=26)
        assert operator.network.get_qos_dscp_marking_rule(marked, policy).dscp_mark == 26
        assert operator.network.create_qos_packet_rate_limit_rule(policy, max_kpps=3, direction="egress").max_kpps == 3
        assert operator.network.create_qos_minimum_bandwidth_rule(policy, min_kbps=5).min_kbps == 5
        least = operator.network.create_qos_minimum_packet_rate_rule(policy, min_kpps=1, direction="any")
        operator.network.delete_qos_minimum_packet_rate_rule(least, policy, ignore_missing=False)
        assert {found["type"] for found in operator.network.get_qos_policy(policy).rules} == {
            "bandwidth_limit", "dscp_marking", "packet_rate_limit", "minimum_bandwidth"}
        assert {kind.type for kind in operator.network.qos_rule_types()} == {
            "bandwidth_limit", "dscp_marking", "packet_rate_limit"}
    network = cloud.network.create_network(qos_policy_id=policy.id)
    assert network.qos_policy_id == policy.id
    assert cloud.network.find_extension("naas-route") is not None
    assert cloud.network.find_extension("router") is not None


def test_trunks_and_segments(controller: Controller, cloud: Connection) -> None:
    network = cloud.network.create_network()
    parent, first, second = (cloud.network.create_port(network_id=network.id) for _ in range(3))
    wanted = [{"port_id": port.id, "segmentation_type": "vlan", "segmentation_id": number}
              for number, port in enumerate((first, second), 10)]
    trunk = cloud.network.create_trunk(port_id=parent.id, sub_ports=wanted[:1], name="trunk")
    cloud.network.add_trunk_subports(trunk, wanted[1:])
    assert cloud.network.get_trunk_subports(trunk)["sub_ports"] == wanted
    assert cloud.network.get_port(parent).trunk_details["trunk_id"] == trunk.id
    cloud.network.delete_trunk_subports(trunk, [{"port_id": first.id}])
    assert cloud.network.find_trunk("trunk").sub_ports == wanted[1:]
    cloud.network.delete_trunk(trunk, ignore_missing=False)
    with connect(controller, "operator", "admin") as operator:
        [segment] = operator.network.segments(network_id=network.id)
        assert operator.network.update_segment(segment, name="rack").name == "rack"
    assert list(cloud.network.segments()) == []


def test_security_groups(controller: Controller, cloud: Connection) -> None:
    """As the SDK, its cloud layer and the command line ask for them."""
    assert [group.name for group in cloud.network.security_groups(project_id="alice")] == ["default"]
    office = cloud.network.create_address_group(name="office", addresses=["192.0.2.0/24"])
    assert cloud.network.add_addresses_to_address_group(office, ["198.51.100.1"]).addresses == [
        "192.0.2.0/24", "198.51.100.1/32"]
    web = cloud.network.create_security_group(name="web", description="web")
    rule = cloud.network.create_security_group_rule(
        security_group_id=web.id, direction="ingress", ethertype="IPv4", protocol="tcp", port_range_min=80,
        port_range_max=80, remote_ip_prefix="0.0.0.0/0")
    assert (rule.protocol, rule.normalized_cidr, rule.port_range_max) == ("tcp", "0.0.0.0/0", 80)
    several = cloud.network.create_security_group_rules([
        {"security_group_id": web.id, "direction": "ingress", "remote_group_id": web.id},
        {"security_group_id": web.id, "direction": "ingress", "remote_address_group_id": office.id}])
    found = {item.id for item in cloud.network.security_group_rules(security_group_id=web.id, direction="ingress")}
    assert found == {rule.id, *(item.id for item in several)}
    assert cloud.network.find_security_group("web").id == web.id
    assert cloud.network.update_security_group(web, stateful=False).stateful is False
    cloud.network.set_tags(web, ["red"])
    assert [group.id for group in cloud.network.security_groups(tags="red")] == [web.id]
    network = cloud.network.create_network()
    port = cloud.network.create_port(network_id=network.id, security_group_ids=[web.id])
    assert port.security_group_ids == [web.id]
    assert [item.id for item in cloud.network.ports(security_groups=web.id)] == [port.id]
    with pytest.raises(exceptions.ConflictException, match="in use"):
        cloud.network.delete_security_group(web, ignore_missing=False)
    assert cloud.network.update_port(port, security_groups=[]).security_group_ids == []
    cloud.network.delete_security_group(web, ignore_missing=False)
    cloud.network.delete_address_group(office, ignore_missing=False)
    assert cloud.network.find_security_group_rule(rule.id) is None
    made = cloud.create_security_group("cli", "of the cloud layer")
    assert cloud.create_security_group_rule(made.id, protocol="tcp", port_range_min=22, port_range_max=22) is not None
    assert {group.name for group in cloud.list_security_groups()} == {"default", "cli"}
    assert cloud.delete_security_group(made.id) is True
    assert len(list(cloud.network.default_security_group_rules())) == 4
    with connect(controller, "operator", "admin") as operator:
        first = operator.network.create_default_security_group_rule(direction="ingress", protocol="icmp")
        assert operator.network.get_default_security_group_rule(first.id).protocol == "icmp"
        operator.network.delete_default_security_group_rule(first, ignore_missing=False)


def test_a_killed_worker_is_replaced(controller: Controller, cloud: Connection) -> None:
    workers = controller.children()
    if not workers:
        assert "workers = 0" in controller.config.read_text()
        return
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    until(lambda: len(set(controller.children()) - set(workers)) == 1)
    assert cloud.network.create_network(name="after").status == "ACTIVE"
    controller.forgive("API process")


def test_configuration_is_checked_before_anything_is_served(tmp_path: Path) -> None:
    for section, told in (("[api]\nport = many", "port"), ("[api]\nauth = none", "auth"),
                          ("[api]\nauth = noauth\nhost = 0.0.0.0", "loopback"),
                          ("[api]\nauth = noauth\nhost = ::\nworkers = 1", "loopback"),
                          ("[database]\nconnection = mysql://x", "sqlite"),
                          ("[plugins]\nl2 = none", "l2"), ("[openflow]\ncertificate = /nope", "key"),
                          ("[database]\nconnection = sqlite:////proc/x/y.db", "proc"), ("nonsense", "parse")):
        path = tmp_path / "bad.conf"
        elsewhere = "" if "[database]" in section else f"\n[database]\nconnection = sqlite:///{tmp_path}/naas.db"
        path.write_text(f"{section}{elsewhere}\n")
        done = run_command("serve", "--config-file", str(path))
        assert done.returncode == 1, done
        assert told in done.stderr
        assert "Traceback" not in done.stderr


def test_what_serves_the_api_ends_with_a_controller_that_is_killed(tmp_path: Path) -> None:
    made = Controller(tmp_path, ("127.0.0.1", free_port()), workers=1)
    made.start()
    [worker] = made.children()
    made.kill()
    until(lambda: not Path(f"/proc/{worker}").exists() or " Z " in Path(f"/proc/{worker}/stat").read_text())
    made.start()
    assert made.stop() == 0
