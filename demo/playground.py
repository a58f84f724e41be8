"""`make run`: a controller, two hypervisors and two machines that stay up, with Mininet's prompt to play in."""
from __future__ import annotations

import signal
import sys

from mininet.cli import CLI
from mininet.log import setLogLevel
from rich.console import Console

from tests.mininet.lab import Lab, LabFailed
from tests.support.openvswitch import CommandFailed

GUIDE = """\
[bold]Everything is up.[/bold] Two machines of tenant [bold]alice[/bold] share a network: {machines}.

At the prompt, Mininet's commands work: [cyan]m1 ping -c 3 {address}[/cyan], [cyan]m1 ip addr[/cyan], \
[cyan]sh COMMAND[/cyan] for one of this machine, [cyan]help[/cyan], [cyan]exit[/cyan].
In another terminal, with the API (the operator's token may do all, alice's what a tenant may):

  curl -H 'X-Auth-Token: {tenant}' {url}/v2.0/networks
  export OS_AUTH_TYPE=admin_token OS_ENDPOINT={url} OS_TOKEN={operator}
  openstack network list

The switches' flows: ovs-ofctl -O OpenFlow13 dump-flows unix:{directory}/hv1/br-int.mgmt
The controller's log: {log}
"""


def main() -> int:
    console = Console()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Lab(hypervisors=2, tenants=("alice",)) as lab:
            _furnish(lab)
            first, second = lab.machines.values()
            console.print(GUIDE.format(
                machines=f"m1 ({first.ip} on hv1) and m2 ({second.ip} on hv2)", address=second.ip,
                url=lab.controller.url, tenant=lab.tenant("alice").token, operator=lab.operator.token,
                directory=lab.directory, log=lab.controller.log), highlight=False, soft_wrap=True)
            setLogLevel("output")   # what the prompt's commands print
            CLI(lab.net)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:
        console.print("\ncleaned up")
        return 130
    except (LabFailed, CommandFailed) as error:
        console.print(f"[red]it could not be started:[/red] {error}", highlight=False)
        return 2
    return 0


def _furnish(lab: Lab) -> None:
    """A network with a machine on each hypervisor."""
    alice = lab.tenant("alice")
    network = alice.post("networks", {"name": "playground"})
    alice.post("subnets", {"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/24"})
    for number, hypervisor in enumerate(lab.hypervisors, 1):
        lab.vm(f"m{number}", alice.post("ports", {"network_id": network["id"]}), hypervisor)


if __name__ == "__main__":
    sys.exit(main())
