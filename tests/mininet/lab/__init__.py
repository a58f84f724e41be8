"""A laboratory of hypervisors, machines and a controller, all of them real; see lab.py for the way in."""
from tests.mininet.lab.nodes import VM, Hypervisor
from tests.mininet.lab.topology import LabFailed, Topology
from tests.mininet.lab.waiting import eventually

__all__ = ["VM", "Hypervisor", "LabFailed", "Topology", "eventually"]
