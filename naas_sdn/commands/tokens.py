"""`naas-sdn token`: who may use the API."""
from __future__ import annotations

import click

from naas_sdn.commands.options import configured, open_database
from naas_sdn.config import ConfigOpts
from naas_sdn.service import tokens
from naas_sdn.service.contract import ROLES


@click.group()
def token() -> None:
    """API tokens: make, list, revoke."""


@token.command()
@configured
@click.option("--project", required=True, help="The tenant.")
@click.option("--user", default="operator", show_default=True)
@click.option("--role", "roles", multiple=True, default=["member"], show_default=True,
              type=click.Choice(sorted(ROLES)))
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 3650), help="How long it lives.")
def create(conf: ConfigOpts, project: str, user: str, roles: tuple[str, ...], days: int) -> None:
    """Make a token and print its secret, which is stored nowhere."""
    database = open_database(conf)
    _, secret = database.transact(lambda session: tokens.issue(session, project, user, roles, days * 86400))
    click.echo(secret)


@token.command("list")
@configured
def list_(conf: ConfigOpts) -> None:
    """What tokens there are."""
    database = open_database(conf)
    with database.read() as session:
        for row in tokens.listed(session):
            click.echo(f"{row.id}  {row.project_id}  {row.user}  {','.join(row.roles)}  until {row.expires_at}Z")


@token.command()
@configured
@click.argument("identifier")
def revoke(conf: ConfigOpts, identifier: str) -> None:
    """End a token, by its id."""
    open_database(conf).transact(lambda session: tokens.revoke(session, identifier))
