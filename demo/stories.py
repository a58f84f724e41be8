"""The use cases, in the order a tenant would meet them. Each is a function of the stage and stands alone."""
from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from demo.stage import Stage
from tests.mininet.lab import VM, Api, ApiRefused, Pings, eventually

Story = Callable[[Stage], None]

LIMIT = 10_000
"""kbit/s of the rate limit."""


def a_network(api: Api, name: str, cidr: str) -> tuple[dict[str, Any], dict[str, Any]]:
    network = api.post("networks", {"name": name})
    return network, api.post("subnets", {"network_id": network["id"], "ip_version": 4, "cidr": cidr})


def pair_of_machines(stage: Stage, api: Api, network: dict[str, Any], prefix: str) -> list[VM]:
    return [stage.machine(f"{prefix}{number}", api, hypervisor, api.post("ports", {"network_id": network["id"]}))
            for number, hypervisor in enumerate(stage.hypervisors, 1)]


def check_silence(stage: Stage, what: str, one: VM, address: str) -> None:
    """Wait until an echo stays out, then see that several do."""
    eventually(lambda: one.ping(address, 1).received == 0, f"{address} is out of reach")
    pings = one.ping(address, 4, 0.1)
    stage.check(what, answers(pings), pings.received == 0)


def check_echo(stage: Stage, what: str, one: VM, address: str) -> None:
    """Wait for the first echo, then see that none is lost."""
    assert one.reaches(address), f"{address} is out of reach of {one.name}"
    pings = one.ping(address, 20, 0.02)
    stage.check(what, f"{answers(pings)}, {pings.rtt} ms", pings.lost == 0)


def answers(pings: Pings) -> str:
    return f"{pings.received} of {pings.sent} answers"


def private_network(stage: Stage) -> None:
    """Use case 1: a private network across hypervisors"""
    alice, mallory = stage.lab.tenant("alice"), stage.lab.tenant("mallory")
    stage.tell("Alice makes a network 10.0.0.0/24 and runs a machine on each hypervisor.")
    network, _ = a_network(alice, "private", "10.0.0.0/24")
    first, second = pair_of_machines(stage, alice, network, "alice")
    check_echo(stage, "the two machines ping each other through the VXLAN tunnel", first, second.ip)
    stage.tell("Mallory makes a network with the very same addresses, and listens.")
    network, _ = a_network(mallory, "private", "10.0.0.0/24")
    spy, other = pair_of_machines(stage, mallory, network, "mallory")
    assert spy.reaches(other.ip)
    with spy.capture() as ear:
        first.inside("ip", "neigh", "flush", "dev", "eth0")
        first.ping(second.ip, 5)
        first.ping("10.0.0.255", 3, 0.05, "-b")
        spy.ping(other.ip, 1)
    foreign = ear.matching(f"{first.mac}|{second.mac}")
    stage.check("Mallory hears his own traffic and nothing of Alice's",
                f"{len(ear.lines)} packets heard, {len(foreign)} of Alice's", bool(ear.lines) and not foreign)
    port = alice.post("ports", {"network_id": network_of(alice)})
    started = time.monotonic()
    stage.lab.vm("quick", port, stage.hypervisors[0])
    with_machine = time.monotonic() - started
    stage.check("from naming the interface to ACTIVE, with the making of the machine",
                f"{1000 * with_machine:.0f} ms", with_machine < 5)


def network_of(api: Api) -> str:
    """The id of the tenant's own network `private`."""
    [network] = api.get("networks", name="private", project_id=api.name)
    return str(network["id"])


def shared_network(stage: Stage) -> None:
    """Use case 2: a shared public network, customers kept apart"""
    stage.tell("The provider makes a network for everybody on which ports are isolated from each other.")
    network = stage.operator.post("networks", {"name": "public", "shared": True, "isolated": True})
    subnet = stage.operator.post("subnets", {"network_id": network["id"], "ip_version": 4, "cidr": "198.51.100.0/24"})
    stage.tell("Both customers let others of that network reach their machines, by a rule of their security groups.")
    machines = []
    for tenant, hypervisor in zip(("alice", "mallory"), stage.hypervisors, strict=True):
        api = stage.lab.tenant(tenant)
        api.admit(subnet["cidr"])
        machines.append(stage.machine(f"pub-{tenant[0]}", api, hypervisor,
                                      api.post("ports", {"network_id": network["id"]})))
    one, other = machines
    for machine in machines:
        check_echo(stage, f"{machine.name} reaches the gateway", machine, subnet["gateway_ip"])
    one.inside("ip", "neigh", "replace", other.ip, "lladdr", other.mac, "dev", "eth0")
    check_silence(stage, "they do not reach each other", one, other.ip)
    stage.operator.update(f"networks/{network['id']}", {"isolated": False})
    check_echo(stage, "they do once the provider lifts the isolation", one, other.ip)


def subnets_and_leases(stage: Stage) -> None:
    """Use case 6: subnets, and leases for real DHCP clients"""
    alice = stage.lab.tenant("alice")
    network = alice.post("networks", {"name": "leased"})
    stage.tell("A machine is plugged before there is any subnet; then a subnet is made by address and netmask.")
    machine = stage.machine("dhcp", alice, stage.hypervisors[1], alice.post("ports", {"network_id": network["id"]}),
                            static=False)
    subnet = alice.post("subnets", {"network_id": network["id"], "ip_version": 4, "address": "10.6.0.0",
                                    "netmask": "255.255.255.0", "dns_nameservers": ["9.9.9.9"]})
    vif = next(vif for vif in alice.get("vifs") if vif["mac_address"] == machine.mac)
    alice.act(f"vifs/{vif['id']}/attach_subnet", {"subnet_id": subnet["id"]})
    for client in ("udhcpc", "dhclient"):
        started = time.monotonic()
        lease = machine.dhcp(client)
        stage.check(f"{client} gets a lease from the flow tables' controller",
                    f"{lease.ip}, gateway {machine.routes().get('default')}, MTU {machine.mtu()}, "
                    f"{time.monotonic() - started:.1f} s", machine.reaches(subnet["gateway_ip"]))
    _, foreign = a_network(alice, "elsewhere", "10.66.0.0/24")
    try:
        alice.act(f"vifs/{vif['id']}/attach_subnet", {"subnet_id": foreign["id"]})
        stage.check("a subnet of another network is refused", "it was taken", False)
    except ApiRefused as refused:
        stage.check("a subnet of another network is refused", f"{refused.status} {refused.type}", refused.status == 400)


def routes(stage: Stage) -> None:
    """Use case 7: a route between two networks"""
    alice = stage.lab.tenant("alice")
    ends = [a_network(alice, name, cidr) for name, cidr in (("left", "10.7.1.0/24"), ("right", "10.7.2.0/24"))]
    left, right = (
        stage.machine(name, alice, hypervisor, alice.post("ports", {"network_id": network["id"]}))
        for name, hypervisor, (network, _) in zip(("left", "right"), stage.hypervisors, ends, strict=True))
    check_silence(stage, "without a route the networks are apart", left, right.ip)
    route = alice.post("routes", {"source_subnet_id": ends[0][1]["id"], "destination_subnet_id": ends[1][1]["id"]})
    check_echo(stage, "with it they reach each other, routed on the sender's own hypervisor", left, right.ip)
    hops = left.traceroute(right.ip)
    stage.check("traceroute shows the gateway", " -> ".join(hops), hops == [ends[0][1]["gateway_ip"], right.ip])
    alice.delete(f"routes/{route['id']}")
    check_silence(stage, "the route is deleted and traffic stops", left, right.ip)


def statistics(stage: Stage) -> None:
    """Use case 4: statistics from flow counters"""
    alice = stage.lab.tenant("alice")
    network, _ = a_network(alice, "counted", "10.4.0.0/24")
    one, other = pair_of_machines(stage, alice, network, "count")
    for machine in (one, other):
        machine.inside("sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1")
    assert one.reaches(other.ip)
    port = next(port for port in alice.get("ports") if port["mac_address"] == one.mac)
    path = f"ports/{port['id']}/statistics"
    time.sleep(2)
    before = alice.get(path)
    one.ping(other.ip, 100, 0.01, "-s", "958")
    eventually(lambda: alice.get(path)["packets_in"] >= before["packets_in"] + 100, "the counters have been read")
    after = alice.get(path)
    grown = {name: after[name] - before[name] for name in ("packets_out", "bytes_out", "packets_in", "bytes_in")}
    stage.check("100 pings of 1000 bytes on the wire are counted as such", ", ".join(
        f"{name} {value}" for name, value in grown.items()),
        grown["packets_out"] in range(100, 103) and grown["bytes_out"] in range(100_000, 100_200))


def rate_limit(stage: Stage) -> None:
    """Use case 5: a bit rate that a port may not exceed"""
    alice = stage.lab.tenant("alice")
    network, _ = a_network(alice, "limited", "10.5.0.0/24")
    one, other = pair_of_machines(stage, alice, network, "rate")
    assert one.reaches(other.ip)
    free = one.iperf(other, seconds=2)
    stage.check("TCP without a limit", f"{free:.0f} Mbit/s", free > 2 * LIMIT / 1000)
    policy = stage.operator.post("qos/policies", {"name": "ten", "shared": True})
    for direction in ("egress", "ingress"):
        stage.operator.post(f"qos/policies/{policy['id']}/bandwidth_limit_rules",
                            {"max_kbps": LIMIT, "max_burst_kbps": LIMIT // 2, "direction": direction})
    port = next(port for port in alice.get("ports") if port["mac_address"] == one.mac)
    alice.update(f"ports/{port['id']}", {"qos_policy_id": policy["id"]})
    eventually(lambda: one.iperf(other, rate="50M", seconds=1) < 2 * LIMIT / 1000, "the limit is set")
    for reverse, word in ((False, "sends"), (True, "receives")):
        udp = one.iperf(other, rate="40M", seconds=4, reverse=reverse)
        stage.check(f"UDP offered at 40 Mbit/s, the limited machine {word}", f"{udp:.1f} Mbit/s of 10", 8 <= udp <= 12)
        tcp = one.iperf(other, seconds=4, reverse=reverse)
        stage.check(f"TCP, the limited machine {word}", f"{tcp:.1f} Mbit/s of 10", 4 <= tcp <= 12)


def restart(stage: Stage) -> None:
    """Restart: the controller is killed under traffic"""
    machines = stage.lab.machines
    one, other = machines["alice1"], machines["alice2"]
    flows = [len(hypervisor.flows()) for hypervisor in stage.hypervisors]
    stage.tell(f"{sum(flows)} flows are in the two switches. The controller dies by SIGKILL while pings run.")
    hypervisor = stage.hypervisors[0]
    with hypervisor.openflow_messages() as heard, one.pinging(other.ip) as results:
        stage.lab.controller.kill()
        time.sleep(1)
        stage.lab.controller.start()
        eventually(heard.is_compared, "the switch is compared", seconds=30)
    sent = len(heard.changes())
    stage.check("no packet is lost", answers(results[0]), results[0].lost == 0)
    stage.check("the restarted controller sends no flow-mod", f"{sent} of {len(heard.names())} messages to hv1",
                sent == 0)


STORIES: tuple[Story, ...] = (private_network, shared_network, subnets_and_leases, routes, statistics, rate_limit,
                              restart)
