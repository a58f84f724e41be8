"""What a machine may not send, and what the underlay may not inject: dropped, while honest traffic goes on."""
from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.mininet.lab import VM, Lab, eventually

TENANTS = ("alice",)
BROADCAST = b"\xff" * 6
OTHER_MAC = bytes.fromhex("fa163e999999")


class Segment:
    """A thief and a victim on two hypervisors of one network; what the victim hears tells what passed."""

    def __init__(self, lab: Lab) -> None:
        api = lab.tenant("alice")
        # What passes tells of lies only when no group stops it.
        api.admit("0.0.0.0/0")
        self.network = api.post("networks", {"name": "segment"})
        self.subnet = api.post("subnets", {"network_id": self.network["id"], "ip_version": 4, "cidr": "10.9.0.0/24"})
        ports = [api.post("ports", {"network_id": self.network["id"]}) for _ in lab.hypervisors]
        self.thief, self.victim = (lab.vm(name, port, hypervisor) for name, port, hypervisor
                                   in zip(("thief", "victim"), ports, lab.hypervisors, strict=True))
        assert self.thief.reaches(self.victim.ip)


@pytest.fixture(scope="module")
def segment(lab: Lab) -> Iterator[Segment]:
    made = Segment(lab)
    yield made
    assert made.thief.ping(made.victim.ip, 3).lost == 0, "honest traffic ends with the tests"


def mac(machine: VM) -> bytes:
    return bytes.fromhex(machine.mac.replace(":", ""))


def ip(text: str) -> bytes:
    return socket.inet_aton(text)


def udp(source_mac: bytes, destination_mac: bytes, source: str, destination: str, *,
        ports: tuple[int, int] = (4000, 4000), vlan: int | None = None) -> bytes:
    """A UDP datagram without checksum that says `marker`."""
    payload = b"marker"
    datagram = b"".join(port.to_bytes(2) for port in ports) + (8 + len(payload)).to_bytes(2) + b"\0\0" + payload
    header = b"\x45\0" + (20 + len(datagram)).to_bytes(2) + b"\0\0\0\0\x40\x11\0\0" + ip(source) + ip(destination)
    total = sum(int.from_bytes(header[i:i + 2]) for i in range(0, 20, 2))
    checksum = ~(total % 0xFFFF) & 0xFFFF
    header = header[:10] + checksum.to_bytes(2) + header[12:]
    tag = b"\x81\0" + vlan.to_bytes(2) if vlan is not None else b""
    return destination_mac + source_mac + tag + b"\x08\0" + header + datagram


def arp(source_mac: bytes, sender_mac: bytes, sender: str, target: str, operation: int = 1) -> bytes:
    return (BROADCAST + source_mac + b"\x08\x06\0\x01\x08\0\x06\x04" + operation.to_bytes(2) + sender_mac + ip(sender)
            + b"\0" * 6 + ip(target))


def heard(segment: Segment, frame: bytes) -> list[str]:
    """What the victim hears of `frame`; an honest marker after it tells that listening is over."""
    thief, victim = segment.thief, segment.victim
    honest = udp(mac(thief), mac(victim), thief.ip, victim.ip, ports=(4999, 4999))
    with victim.listening(4999), victim.capture("not icmp") as capture:
        thief.send([frame, frame, honest])
        eventually(lambda: capture.so_far(r"\.4999"), "the honest frame has come")
    return [line for line in capture.lines if ".4999" not in line and victim.mac + " >" not in line]


def test_honest_frames_pass(segment: Segment) -> None:
    """The same frame as those below, but for the lie."""
    thief, victim = segment.thief, segment.victim
    assert len(heard(segment, udp(mac(thief), mac(victim), thief.ip, victim.ip))) == 2
    assert len(heard(segment, arp(mac(thief), mac(thief), thief.ip, "10.9.0.77"))) == 2


@pytest.mark.parametrize("lie", ["mac", "ip", "no ip", "arp sender ip", "arp sender mac", "arp source", "gateway's arp",
                                 "gateway's mac", "rogue dhcp", "vlan tag", "bridge control"])
def test_lies_are_dropped(segment: Segment, lie: str) -> None:
    thief, victim, gateway = segment.thief, segment.victim, segment.subnet["gateway_ip"]
    me, you = mac(thief), mac(victim)
    frame = {
        "mac": udp(OTHER_MAC, you, thief.ip, victim.ip),
        "ip": udp(me, you, "10.9.0.99", victim.ip),
        "no ip": udp(me, you, "0.0.0.0", victim.ip),
        "arp sender ip": arp(me, me, "10.9.0.99", "10.9.0.77"),
        "arp sender mac": arp(me, OTHER_MAC, thief.ip, "10.9.0.77"),
        "arp source": arp(OTHER_MAC, me, thief.ip, "10.9.0.77"),
        "gateway's arp": arp(me, me, gateway, gateway, 2),
        "gateway's mac": udp(bytes.fromhex("fa163f000001"), you, gateway, victim.ip),
        "rogue dhcp": udp(me, BROADCAST, thief.ip, "255.255.255.255", ports=(67, 68)),
        "vlan tag": udp(me, you, thief.ip, victim.ip, vlan=7),
        "bridge control": udp(me, bytes.fromhex("0180c2000000"), thief.ip, victim.ip),
    }[lie]
    assert heard(segment, frame) == []


def test_nobody_can_take_the_victim_s_address(segment: Segment) -> None:
    """An announcement of his address changes nothing: the tables answer ARP, not the machines."""
    thief, victim = segment.thief, segment.victim
    thief.send([arp(mac(thief), mac(thief), victim.ip, victim.ip, 2)] * 3)
    thief.inside("ip", "neigh", "flush", "dev", "eth0")
    assert thief.reaches(victim.ip)
    assert thief.neighbour(victim.ip) == victim.mac


def test_without_port_security_the_port_may(lab: Lab, segment: Segment) -> None:
    port = next(port for port in lab.tenant("alice").get("ports") if port["mac_address"] == segment.thief.mac)
    frame = udp(mac(segment.thief), mac(segment.victim), "10.9.0.99", segment.victim.ip)
    lab.tenant("alice").update(f"ports/{port['id']}", {"port_security_enabled": False,
                                                        "security_groups": []})
    eventually(lambda: heard(segment, frame), "the frame passes")
    lab.tenant("alice").update(f"ports/{port['id']}", {"port_security_enabled": True,
                                                        "security_groups": port["security_groups"]})
    eventually(lambda: not heard(segment, frame), "the frame is dropped again")


def test_a_stranger_on_the_underlay_cannot_inject(lab: Lab, segment: Segment) -> None:
    """VXLAN from an address that is no hypervisor's; the same bytes from a hypervisor's address do pass."""
    first, second = lab.hypervisors
    [key] = {network["provider:segmentation_id"] for network in lab.operator.get("networks")}
    inner = udp(mac(segment.thief), mac(segment.victim), segment.thief.ip, segment.victim.ip)
    vxlan = b"\x08\0\0\0" + key.to_bytes(3) + b"\0" + inner
    stranger = lab.add_underlay_host("stranger", "10.200.0.77")
    stranger.inside("ip", "neigh", "replace", second.vtep, "lladdr", second.underlay_mac(), "dev", "eth0")
    with segment.victim.capture("udp port 4000") as capture:
        stranger.send_udp(second.vtep, 4789, [vxlan] * 3)
        segment.victim.ping(segment.thief.ip, 3)
    assert capture.lines == []
    stranger.inside("ip", "addr", "add", f"{first.vtep}/32", "dev", "eth0")
    with segment.victim.capture("udp port 4000") as capture:
        stranger.send_udp(second.vtep, 4789, [vxlan] * 3, source=first.vtep)
        eventually(lambda: capture.so_far("4000"), "what a hypervisor sends is believed")
