"""A laboratory of hypervisors, machines and a controller, all of them real; see lab.py for the way in."""
from tests.mininet.lab.api import Api, ApiRefused
from tests.mininet.lab.flowing import Passed, flowing
from tests.mininet.lab.lab import Lab
from tests.mininet.lab.machine import Capture, Machine, Pings
from tests.mininet.lab.nodes import VM, Hypervisor
from tests.mininet.lab.topology import LabFailed, Topology
from tests.mininet.lab.waiting import eventually
from tests.support.controller import Controller

__all__ = ["VM", "Api", "ApiRefused", "Capture", "Controller", "Hypervisor", "Lab", "LabFailed", "Machine",
           "Passed", "Pings", "Topology", "eventually", "flowing"]
