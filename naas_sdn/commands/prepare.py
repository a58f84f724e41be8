"""`naas-sdn hypervisor prepare`: set up the Open vSwitch of the host that it runs on."""
from __future__ import annotations

import click

from naas_sdn.hypervisor import Tls, make_setup
from naas_sdn.hypervisor import prepare as prepare_host
from naas_sdn.model.physical import uplinks


@click.command()
@click.argument("name")
@click.option("--vtep", required=True, metavar="IP", help="This host's tunnel address.")
@click.option("--controller", "controllers", required=True, multiple=True, metavar="TARGET",
              help="tcp:IP:PORT or ssl:IP:PORT; may be given several times.")
@click.option("--datapath-id", metavar="HEX", help="OpenFlow identity; derived from NAME if not given.")
@click.option("--datapath-type", type=click.Choice(["system", "netdev"]), default="system", show_default=True,
              help="The kernel's datapath, or the userspace one.")
@click.option("--bridge", default="br-int", show_default=True, help="Name of the integration bridge.")
@click.option("--tunnel", default="vxlan0", show_default=True, help="Name of the tunnel port.")
@click.option("--dst-port", "tunnel_port", type=click.IntRange(1, 65535), default=4789, show_default=True,
              help="UDP port of the tunnels.")
@click.option("--local-ip", is_flag=True, help="Send and take tunnelled packets by the VTEP address only.")
@click.option("--physical-network", "physical", multiple=True, metavar="NAME:INTERFACE",
              help="A physical network, and the interface that it is behind; may be given several times.")
@click.option("--inactivity-probe", type=click.IntRange(1, 3600), default=5, show_default=True, metavar="SECONDS",
              help="Silence after which the switch probes its controller.")
@click.option("--key", metavar="PEM", help="Private key of this host.")
@click.option("--certificate", metavar="PEM", help="Certificate of this host.")
@click.option("--ca", metavar="PEM", help="Certificate of the authority that signs the controller's.")
@click.option("--db", "database", metavar="SOCKET", help="Where ovs-vsctl finds the OVSDB.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def prepare(*, name: str, vtep: str, controllers: tuple[str, ...], datapath_id: str | None, datapath_type: str,
            bridge: str, tunnel: str, tunnel_port: int, local_ip: bool, physical: tuple[str, ...],
            inactivity_probe: int, key: str | None, certificate: str | None, ca: str | None,
            database: str | None, dry_run: bool) -> None:
    """Set up this host's Open vSwitch as hypervisor NAME. A second run changes nothing."""
    files = [path for path in (key, certificate, ca) if path]
    if len(files) not in (0, 3):
        raise click.UsageError("--key, --certificate and --ca go together.")
    setup = make_setup(
        name, vtep, controllers, datapath_id=datapath_id, tls=Tls(*files) if files else None,
        datapath_type=datapath_type, bridge=bridge, tunnel=tunnel, tunnel_port=tunnel_port, local_ip=local_ip,
        inactivity_probe=inactivity_probe * 1000, uplinks=uplinks(physical))
    steps = prepare_host(setup, database, dry_run)
    for step in steps:
        done = "would set" if dry_run else "set"
        click.echo(f"{done if step.change else 'is so'}: {step.text}")
    if not any(step.change for step in steps):
        click.echo("nothing to change")
    click.echo(f"register it: naas-sdn hypervisor add {name} --datapath-id {setup.datapath_id:016x} "
               f"--vtep {setup.vtep}" + "".join(f" --physical-network {text}" for text in physical))
