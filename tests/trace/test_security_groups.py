"""What security groups let through, frame by frame, by the real conntrack of an Open vSwitch's own datapath."""
from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from naas_sdn.apps import wire
from naas_sdn.engine.replica import Replica
from naas_sdn.model.values import Fact, Port, SecurityRule
from naas_sdn.pipeline.tables import REASON, Reason
from tests.support.topologies import OUT, Key, ip, mac, rule
from tests.trace.test_trace import Cloud

TCP, UDP, ICMP = 6, 17, 1
SYN, SYN_ACK, ACK = 0x02, 0x12, 0x10
MACHINES = (11, 12, 14, 15, 16, 17, 18)
ALL = (1 << 48) - 1


@dataclass(frozen=True)
class Packet:
    """From machine `source` to machine `target`, whose frame goes to `eth_dst` where that is another."""

    source: int
    target: int
    protocol: int
    sport: int = 40000
    dport: int = 80
    flags: int = SYN
    eth_dst: int | None = None
    quoting: bytes = b""

    def answered(self, flags: int = SYN_ACK) -> Packet:
        return replace(self, source=self.target, target=self.source, sport=self.dport, dport=self.sport, flags=flags)

    def frame(self) -> bytes:
        if self.protocol == TCP:
            body = struct.pack("!HHIIBBHHH", self.sport, self.dport, 1, 1 if self.flags & ACK else 0, 0x50, self.flags,
                               1000, 0, 0)
        elif self.protocol == UDP:
            body = struct.pack("!HHHH", self.sport, self.dport, 16, 0) + bytes(8)
        else:
            # Type and code, where others have their ports.
            body = struct.pack("!BBHHH", self.sport, self.dport, 0, 7, 1) + (self.quoting or bytes(8))
            body = body[:2] + wire.checksum(body).to_bytes(2) + body[4:]
        there = wire.Station(mac(self.target) if self.eth_dst is None else self.eth_dst, int(ip(1, self.target)))
        frame = wire.build_ipv4(wire.Station(mac(self.source), int(ip(1, self.source))), there, self.protocol, body)
        if self.protocol == TCP:
            pseudo = frame[26:34] + struct.pack("!BBH", 0, TCP, len(body))
            at = 34 + 16
            frame = frame[:at] + wire.checksum(pseudo + body).to_bytes(2) + frame[at + 2:]
        return frame


class Filtered:
    """The machines of a hypervisor, and what comes out of them."""

    def __init__(self) -> None:
        self.cloud = Cloud("filtered")
        self.ovs = self.cloud.switches["hv1"]
        self._replica = Replica(self.cloud.compiler, "hv1")

    def passes(self, packet: Packet) -> set[int]:
        """The machines that get it."""
        before = self._received()
        self.ovs.appctl("netdev-dummy/receive", f"tap{packet.source}", packet.frame().hex())
        after = self._received()
        return {number for number in MACHINES if after[number] != before[number]}

    def _received(self) -> dict[int, int]:
        # Machine N's port is numbered 10 + N.
        counted = re.findall(r"port +(\d+): rx .*\n *tx pkts=(\d+)", self.ovs.ofctl("dump-ports", "--no-names"))
        return {int(number) - 10: int(count) for number, count in counted}

    def dropped(self, reason: Reason) -> int:
        self.ovs.appctl("revalidator/purge")
        flows = self.ovs.ofctl("dump-flows")
        return sum(map(int, re.findall(rf"n_packets=(\d+).*set_field:{reason:#x}->{REASON}$", flows, re.M)))

    def change(self, group: str, *rules: SecurityRule) -> None:
        """Replace its rules."""
        old = [key for key, fact in self.cloud.compiler.store.facts().items()
               if isinstance(fact, SecurityRule) and fact.group_id == group]
        self._apply([*((key, None) for key in old), *(
            (Key("security_rule", f"{group}-{number}"), replace(fact, group_id=group))
            for number, fact in enumerate(rules))])

    def move(self, number: int, *groups: str) -> None:
        """Put machine N into these groups."""
        old = self.cloud.compiler.store.fact(Key("port", f"port{number}"))
        assert isinstance(old, Port)
        self._apply([(Key("port", f"port{number}"), replace(old, groups=groups))])

    def _apply(self, changes: list[tuple[Key, Fact | None]]) -> None:
        self.cloud.compiler.apply(changes)
        assert not self.cloud.compiler.faults
        flows, _ = self._replica.desired()
        self.ovs.replace([str(self.cloud.compiler.flow(sent)) for sent in flows.values()])


@pytest.fixture
def filtered() -> Iterator[Filtered]:
    made = Filtered()
    yield made
    made.cloud.stop()


HELLO = Packet(12, 11, TCP)


def test_what_a_rule_allows_is_answered_and_nothing_else(filtered: Filtered) -> None:
    assert filtered.passes(HELLO) == {11}
    assert filtered.passes(HELLO.answered()) == {12}
    assert filtered.passes(replace(HELLO, flags=ACK)) == {11}
    assert filtered.passes(replace(HELLO, dport=83)) == set()
    assert filtered.dropped(Reason.NO_INGRESS_RULE) == 1
    assert filtered.passes(replace(HELLO.answered(ACK), dport=40001)) == set(), "an answer to nothing"


@pytest.mark.parametrize(("packet", "passes"), [
    (replace(HELLO, dport=82), True), (replace(HELLO, dport=79), False),
    (Packet(12, 11, ICMP, 8, 0), True), (Packet(18, 11, ICMP, 8, 0), False),
    (Packet(12, 11, ICMP, 13, 0), False),
    (Packet(12, 11, UDP, dport=53), True), (Packet(18, 11, UDP, dport=53), False),
    (Packet(12, 11, UDP, dport=54), False),
    (Packet(12, 14, UDP, dport=99), True), (Packet(11, 14, UDP, dport=99), False), (Packet(18, 14, TCP), True),
    (Packet(12, 15, TCP), False), (Packet(15, 18, TCP), False), (Packet(18, 12, TCP), False),
    (Packet(12, 18, TCP), True),
    (Packet(11, 16, TCP, dport=22), True), (Packet(11, 16, TCP, dport=23), False),
    (Packet(12, 16, UDP, dport=53), True), (Packet(14, 16, UDP, dport=53), False),
    (Packet(14, 17, UDP, dport=99), True), (Packet(11, 17, UDP, dport=99), False),
], ids=lambda value: f"{value.source}-{value.target}-{value.dport}" if isinstance(value, Packet) else None)
def test_who_may_begin(filtered: Filtered, packet: Packet, *, passes: bool) -> None:
    assert filtered.passes(packet) == ({packet.target} if passes else set())


def test_without_state_an_answer_needs_a_rule_of_its_own(filtered: Filtered) -> None:
    asked = Packet(16, 18, UDP, sport=5000, dport=53)
    assert filtered.passes(asked) == {18}
    assert filtered.passes(asked.answered()) == set()
    # In a stateful group besides, all is tracked.
    asked = replace(asked, source=17)
    assert filtered.passes(asked) == {18}
    assert filtered.passes(asked.answered()) == {17}


def test_a_rule_that_goes_ends_what_it_allowed_and_brings_it_back(filtered: Filtered) -> None:
    assert filtered.passes(HELLO) == {11}
    assert filtered.passes(HELLO.answered()) == {12}
    filtered.change("web", OUT)
    assert filtered.passes(replace(HELLO, flags=ACK)) == set()
    assert filtered.passes(HELLO.answered(ACK)) == set(), "nor what is sent without being asked again"
    filtered.change("web", OUT, rule(True, 4, 6))
    assert filtered.passes(replace(HELLO, flags=ACK)) == {11}
    assert filtered.passes(HELLO.answered(ACK)) == {12}


def test_members_come_and_go(filtered: Filtered) -> None:
    asked = Packet(11, 12, UDP)
    assert filtered.passes(asked) == set()
    filtered.move(11, "web", "peers")
    assert filtered.passes(asked) == {12}
    assert filtered.passes(asked.answered()) == {11}
    filtered.move(11, "web")
    assert filtered.passes(asked) == set()
    assert filtered.passes(asked.answered()) == set()


def test_a_broadcast_reaches_those_whose_rules_allow_it(filtered: Filtered) -> None:
    assert filtered.passes(replace(Packet(12, 255, UDP, dport=99), eth_dst=ALL)) == {14, 17, 18}
    assert filtered.passes(replace(Packet(11, 255, UDP, dport=99), eth_dst=ALL)) == {18}
    assert filtered.passes(replace(Packet(15, 255, UDP, dport=99), eth_dst=ALL)) == set()


def test_an_error_about_a_connection_belongs_to_it(filtered: Filtered) -> None:
    asked = Packet(12, 18, UDP)
    assert filtered.passes(asked) == {18}
    error = Packet(18, 12, ICMP, 3, 3, quoting=asked.frame()[14:42])
    assert filtered.passes(error) == {12}
    assert filtered.passes(replace(error, quoting=replace(asked, dport=81).frame()[14:42])) == set()
    assert filtered.dropped(Reason.CT_INVALID) == 1


def test_what_is_no_connection_is_dropped_as_that(filtered: Filtered) -> None:
    # An answer to an echo that nobody sent.
    assert filtered.passes(Packet(18, 12, ICMP, 0, 0)) == set()
    assert filtered.dropped(Reason.CT_INVALID) == 1
