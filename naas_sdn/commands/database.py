"""`naas-sdn db`: the schema."""
from __future__ import annotations

import click

from naas_sdn.commands.options import configured, open_database
from naas_sdn.config import ConfigOpts


@click.group("db")
def database() -> None:
    """The database schema."""


@database.command()
@configured
def upgrade(conf: ConfigOpts) -> None:
    """Create the schema, or bring it to this version."""
    open_database(conf).close()
    click.echo("The database is up to date.")
