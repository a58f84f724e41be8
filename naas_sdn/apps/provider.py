"""Provider networks, for l2switch: on a physical network instead of in tunnels.

Each hypervisor goes out by its own uplink. What no machine here has, and every broadcast of a machine, goes there; what
comes from there goes to machines of this hypervisor and never back. The physical switches know who is where, so other
hypervisors' ports take no flows, but on isolated networks: there their MACs tell what is a machine's and what is not.
"""
from __future__ import annotations

from collections.abc import Iterator

from naas_sdn.model.store import View
from naas_sdn.model.values import Network, Port
from naas_sdn.pipeline.flow import Action, Flow, Output, PopVlan, PushVlan, Resubmit, SetField, Value, drop, match
from naas_sdn.pipeline.tables import FLAGS, NET, OUT, WIRE, Flag, Reason, Table

MULTICAST = (1 << 40, 1 << 40)
LINK_LOCAL_CONTROL = (0x0180C2000000, 0xFFFFFFFFFFF0)
"""Addresses that bridges never forward (IEEE 802.1Q-2018 table 8-1)."""

TAGGED = 0x1000
"""In vlan_vid: there is a tag (OFPVID_PRESENT, OpenFlow 1.3.5 section 7.2.3.7)."""

FROM_WIRE = (int(Flag.UPLINK), int(Flag.UPLINK))

TO_WIRE: tuple[SetField | Resubmit, ...] = (SetField(OUT, WIRE), Resubmit(Table.OUTPUT))
"""A copy for the physical network. It is the last one: it may get a tag."""


def uplink_number(view: View, host: str, physical_network: str | None) -> int | None:
    """The OpenFlow port of the hypervisor's uplink; None when it has none, or that is not there."""
    uplink = view.uplink(host, physical_network) if physical_network is not None else None
    link = view.link(host, uplink.interface) if uplink is not None else None
    return link.number if link is not None else None


def wire(view: View, host: str, physical_network: str) -> Iterator[Flow]:
    """Of a hypervisor's uplink, whatever networks are there."""
    number = uplink_number(view, host, physical_network)
    if number is not None:
        yield drop(Table.CLASSIFY, 150, match(in_port=number, eth_dst=LINK_LOCAL_CONTROL), Reason.LINK_LOCAL_CONTROL)
        yield drop(Table.CLASSIFY, 50, match(in_port=number), Reason.UNKNOWN_VLAN)


def network(here: Network) -> Iterator[Flow]:
    """The same on every hypervisor that hosts it."""
    yield Flow(Table.L2, 100, match({NET: here.key}, eth_dst=MULTICAST), goto=Table.FROM_COUNT)
    yield Flow(Table.L2, 50, match({NET: here.key, FLAGS: (0, Flag.UPLINK)}), (SetField(OUT, WIRE),), Table.FROM_COUNT)
    yield drop(Table.OUTPUT, 90, match({NET: here.key, OUT: WIRE}), Reason.NO_UPLINK)


def hosted(view: View, here: Network, host: str) -> Iterator[Flow]:
    """In and out of the uplink of a hypervisor that hosts the network."""
    number = uplink_number(view, host, here.physical_network)
    if number is None:
        return
    arrived: tuple[Action, ...] = (SetField(NET, here.key), SetField(FLAGS, Flag.UPLINK))
    # An untagged network takes frames with nothing but a priority too (IEEE 802.1Q-2018 section 6.9).
    for tag in (TAGGED | (here.vlan or 0),) if here.vlan is not None else (0, TAGGED):
        yield Flow(Table.CLASSIFY, 100, match(in_port=number, vlan_vid=tag),
                   (PopVlan(), *arrived) if tag else arrived, Table.UPLINK)
    tag_on = (PushVlan(), SetField("vlan_vid", TAGGED | here.vlan)) if here.vlan is not None else ()
    yield Flow(Table.OUTPUT, 100, match({NET: here.key, OUT: WIRE}), (*tag_on, Output(number)))


def copies(here: Network, local: tuple[Action, ...]) -> Iterator[Flow]:
    """Broadcast and multicast; `local`: a copy for every port of this hypervisor."""
    yield Flow(Table.COPY, 100, match({NET: here.key}, eth_dst=MULTICAST),
               TO_WIRE if here.isolated else (*local, *TO_WIRE))
    yield Flow(Table.COPY, 110, match({FLAGS: FROM_WIRE, NET: here.key}, eth_dst=MULTICAST), local)


def local(port: Port, here: Network) -> Iterator[Flow]:
    """A machine of this hypervisor: what it is sent, and what claims to be from it."""
    to_it: dict[str, Value] = {NET: here.key, FLAGS: FROM_WIRE} if here.isolated else {NET: here.key}
    yield Flow(Table.L2, 200, match(to_it, eth_dst=port.mac), (SetField(OUT, port.key),), Table.FROM_COUNT)
    yield drop(Table.UPLINK, 200, match({NET: here.key}, eth_src=port.mac), Reason.HAIRPIN)


def neighbour(port: Port, here: Network) -> Iterator[Flow]:
    """Machines of an isolated network do not reach each other by way of the physical network either."""
    if not here.isolated:
        return
    yield drop(Table.L2, 100, match({NET: here.key}, eth_dst=port.mac), Reason.ISOLATED)
    yield drop(Table.UPLINK, 100, match({NET: here.key}, eth_src=port.mac), Reason.ISOLATED)
