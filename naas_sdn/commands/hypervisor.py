"""`naas-sdn hypervisor`: the register of who may speak for what, and the preparation of a hypervisor's switch."""
from __future__ import annotations

import click

from naas_sdn.commands.options import configured, open_database
from naas_sdn.commands.prepare import prepare
from naas_sdn.config import ConfigOpts
from naas_sdn.db import status
from naas_sdn.model.physical import uplinks as parsed
from naas_sdn.service import hypervisors
from naas_sdn.service.uplinks import connect

PHYSICAL = click.option("--physical-network", "physical", multiple=True, metavar="NAME:INTERFACE",
                        help="A physical network, and the interface that it is behind; may be given several times.")


@click.group()
def hypervisor() -> None:
    """Hypervisors: add, uplinks, list, show, remove, prepare."""


hypervisor.add_command(prepare)


@hypervisor.command()
@configured
@click.argument("name")
@click.option("--datapath-id", required=True, help="Of its bridge, in hexadecimal.")
@click.option("--vtep", required=True, help="IPv4 address of its tunnel end.")
@click.option("--certificate", help="Common name of its TLS certificate, if it is not NAME.")
@click.option("--availability-zone", default="nova", show_default=True, help="Of the machines there.")
@PHYSICAL
def add(conf: ConfigOpts, name: str, datapath_id: str, vtep: str, certificate: str | None,  # noqa: PLR0917
        availability_zone: str, physical: tuple[str, ...]) -> None:
    """Register a hypervisor."""
    uplinks = parsed(physical)
    row = open_database(conf).transact(lambda session: hypervisors.register(
        session, name, datapath_id, vtep, certificate, availability_zone, uplinks))
    click.echo(f"{row.name}: datapath ID {row.datapath_id}, VTEP {row.vtep}")


@hypervisor.command()
@configured
@click.argument("name")
@PHYSICAL
def uplinks(conf: ConfigOpts, name: str, physical: tuple[str, ...]) -> None:
    """Give a hypervisor these uplinks and no others."""
    wanted = parsed(physical)
    open_database(conf).transact(lambda session: connect(session, hypervisors.by_name(session, name), wanted))
    click.echo(f"{name}: {', '.join(physical) or 'no uplinks'}")


@hypervisor.command("list")
@configured
def list_(conf: ConfigOpts) -> None:
    """All of them, one a line."""
    with open_database(conf).read() as session:
        for row in hypervisors.listed(session):
            click.echo(f"{row.name}  {row.datapath_id}  {row.vtep}  {'alive' if row.alive else 'not connected'}")


@hypervisor.command()
@configured
@click.argument("name")
def show(conf: ConfigOpts, name: str) -> None:
    """One of them."""
    with open_database(conf).read() as session:
        for field, value in hypervisors.show(hypervisors.by_name(session, name)).items():
            click.echo(f"{field}: {value}")
        for error in status.errors_of(session, "hypervisor", [name]).values():
            click.echo(f"error: {error}")


@hypervisor.command()
@configured
@click.argument("name")
def remove(conf: ConfigOpts, name: str) -> None:
    """Forget one; refused while something is plugged there."""
    open_database(conf).transact(lambda session: hypervisors.remove(session, name))
