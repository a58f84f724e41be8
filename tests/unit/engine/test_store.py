"""The Store's indexes hold what facts put there, as often as they put it."""
from __future__ import annotations

from ipaddress import IPv4Address
from random import Random

from naas_sdn.model.store import FEW, Key, Store
from naas_sdn.model.values import Attachment, Hypervisor


def test_an_element_stays_while_a_fact_has_it() -> None:
    store, chance = Store(), Random(7)
    plugged: dict[str, str] = {}
    hosts, plugs = Key("hosts of network", "net"), Key("attachments of network", "net")
    for _ in range(2000):
        port = f"port{chance.randrange(3 * FEW)}"
        host = chance.choice((None, None, *(f"hv{number}" for number in range(FEW + 3))))
        before, count = set(plugged.values()), len(plugged)
        changed = store.put(Key("vif", port), Attachment(port, "net", host, "tap", 1, 1) if host else None)
        if host is None:
            plugged.pop(port, None)
        else:
            plugged[port] = host
        assert store.elements(hosts) == set(plugged.values())
        assert store.count(hosts) == len(set(plugged.values()))
        assert (hosts in changed) == (before != set(plugged.values()))
        assert store.count(plugs) == len(plugged)
        assert (plugs in changed) == (count != len(plugged))


def test_what_is_gone_leaves_nothing() -> None:
    store = Store()
    key = Key("hypervisor", "hv1")
    store.put(key, Hypervisor("hv1", 1, 1, IPv4Address("192.0.2.1")))
    assert store.put(key, None) == {key, Key("hypervisors", ""), Key("hypervisor of datapath", 1)}
    assert not store.facts() and not vars(store)["_index"]
