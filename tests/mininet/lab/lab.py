"""The whole cloud in a box: topology, controller, tokens, and machines that are plugged by the API."""
from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from tests.mininet.lab.api import Api, Watch
from tests.mininet.lab.nodes import VM, Hypervisor
from tests.mininet.lab.topology import Topology
from tests.mininet.lab.waiting import eventually
from tests.support.controller import Controller

OPERATOR = "operator"


class Lab(Topology):
    """`with Lab(hypervisors=2, tenants=("alice",)) as lab:`; hypervisors are registered and connected.

    `operator` is the API for the provider (role admin); `tenant(name)` the one of a project of that name.
    """

    def __init__(self, hypervisors: int = 2, tenants: tuple[str, ...] = (), watch: Watch | None = None,
                 options: Mapping[str, str] | None = None) -> None:
        """`watch` is told of every answer of the API; `options` are the controller's."""
        super().__init__(hypervisors)
        self._watch = watch
        self.controller = Controller(self.directory, (f"{self.management}.1", 6653), options=options)
        self._apis: dict[str, Api] = {}
        self._expected = tenants

    def start(self) -> None:
        super().start()
        self._cleanup.callback(self._stop_controller)
        self.controller.command("db", "upgrade")
        # Each command starts an interpreter: side by side they take half the time.
        with ThreadPoolExecutor(3) as pool:
            work: list[Future[Any]] = [pool.submit(self.register, hypervisor) for hypervisor in self.hypervisors]
            work += [pool.submit(self.tenant, name) for name in (OPERATOR, *self._expected)]
            for job in work:
                job.result()
        self.controller.start()
        eventually(self.connected, "all hypervisors connected")

    @property
    def operator(self) -> Api:
        return self.tenant(OPERATOR)

    def tenant(self, name: str) -> Api:
        """The API with a token of project `name`, role member (the operator's: admin)."""
        if name not in self._apis:
            role = "admin" if name == OPERATOR else "member"
            secret = self.controller.command("token", "create", "--project", name, "--user", name, "--role", role)
            self._apis[name] = Api(self.controller.url, secret, name, self._watch)
        return self._apis[name]

    def register(self, hypervisor: Hypervisor) -> None:
        """Let the controller know whom to trust."""
        self.controller.command("hypervisor", "add", hypervisor.name, "--datapath-id", hypervisor.datapath_id,
                                "--vtep", hypervisor.vtep)

    def connected(self) -> bool:
        """True when every hypervisor's switch is in touch with the controller."""
        return all(hypervisor["alive"] for hypervisor in self.operator.get("hypervisors"))

    def vm(self, name: str, port: dict[str, Any], hypervisor: Hypervisor, *, by_api: bool = True,
           static: bool = True) -> VM:
        """Run a machine whose card is `port`, and wait until that is ACTIVE.

        As a compute service does it: tell where the interface will be (unless the switch is to report it by its
        name, `by_api=False`), then make it. With `static` it gets the port's first address by hand.
        """
        tap = f"tap{port['id'][:11]}"
        if by_api:
            self.operator.post("vifs", {"port_id": port["id"], "host": hypervisor.name, "interface": tap})
        return self._run(name, port, hypervisor, tap, static)

    def vm_on(self, name: str, network: dict[str, Any], hypervisor: Hypervisor, api: Api | None = None,
              static: bool = True) -> tuple[VM, dict[str, Any]]:
        """Run a machine on a network without a port of its own: the plug makes the port, which is returned too."""
        interface = f"if-{name}"
        vif = (api or self.operator).post("vifs", {"network_id": network["id"], "host": hypervisor.name,
                                                   "interface": interface})
        port = self.operator.get(f"ports/{vif['port_id']}")
        return self._run(name, port, hypervisor, interface, static), port

    def is_active(self, port: dict[str, Any]) -> bool:
        return bool(self.operator.get(f"ports/{port['id']}")["status"] == "ACTIVE")

    def wait_status(self, port: dict[str, Any], status: str) -> None:
        eventually(lambda: self.operator.get(f"ports/{port['id']}")["status"] == status,
                   f"port {port['id']} is {status}")

    def _run(self, name: str, port: dict[str, Any], hypervisor: Hypervisor, interface: str, static: bool) -> VM:
        network = self.operator.get(f"networks/{port['network_id']}")
        machine = self.add_machine(name, hypervisor, interface, port["mac_address"], network.get("mtu", 1450))
        hypervisor.attach(interface)
        self.wait_status(port, "ACTIVE")
        if static and port.get("fixed_ips"):
            self.configure(machine, port)
        return machine

    def configure(self, machine: VM, port: dict[str, Any]) -> None:
        """Set by hand what DHCP would: the port's first address, and the gateway of its subnet."""
        fixed = port["fixed_ips"][0]
        subnet = self.operator.get(f"subnets/{fixed['subnet_id']}")
        machine.static(fixed["ip_address"], int(subnet["cidr"].split("/")[1]), subnet["gateway_ip"])

    def _stop_controller(self) -> None:
        self.controller.stop()
        for api in self._apis.values():
            api.close()
