"""`naas-sdn user`: who may use the API with a password, and as what."""
from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from typing import Any

import click

from naas_sdn.commands.options import configured, open_database
from naas_sdn.config import ConfigOpts
from naas_sdn.db.session import Session
from naas_sdn.errors import InvalidInput
from naas_sdn.service import passwords, tokens, users
from naas_sdn.service.contract import ROLES


def _roles(default: list[str]) -> Callable[..., Any]:
    return click.option("--role", "roles", multiple=True, default=default, show_default=bool(default),
                        type=click.Choice(sorted(ROLES)))


generate = click.option("--generate", is_flag=True, help="Make a password and print it, instead of asking for one.")


@click.group()
def user() -> None:
    """Users with passwords, and their roles in projects."""


@user.command()
@configured
@click.argument("name")
@click.option("--project", help="Where the roles are; more projects by `user grant`.")
@_roles(["member"])
@generate
def create(conf: ConfigOpts, name: str, project: str | None, roles: tuple[str, ...], generate: bool) -> None:
    """Make a user. The password is asked for, or a line of standard input."""
    password = _password(generate)
    stored = passwords.hashed(password)

    def work(session: Session) -> None:
        users.create(session, name, stored)
        if project is not None:
            users.grant(session, name, project, roles)

    open_database(conf).transact(work)
    if generate:
        click.echo(password)


@user.command("list")
@configured
def list_(conf: ConfigOpts) -> None:
    """What users there are: a line for each project of each."""
    database = open_database(conf)
    with database.read() as session:
        for found in users.listed(session):
            for project, roles in found.roles.items():
                click.echo(f"{found.name}  {project}  {','.join(sorted(roles))}")
            if not found.roles:
                click.echo(f"{found.name}  (no project)")


@user.command()
@configured
@click.argument("name")
def delete(conf: ConfigOpts, name: str) -> None:
    """End a user. Tokens made with this user's name are ended by `token revoke`."""
    database = open_database(conf)
    database.transact(lambda session: users.delete(session, name))
    with database.read() as session:
        left = [row.id for row in tokens.listed(session) if row.user == name]
    if left:
        click.echo(f"Tokens with this user's name are still there: {' '.join(left)}", err=True)


@user.command("set-password")
@configured
@click.argument("name")
@generate
def set_password(conf: ConfigOpts, name: str, generate: bool) -> None:
    """Change a password. It is asked for, or a line of standard input; the old one ends at once."""
    password = _password(generate)
    stored = passwords.hashed(password)
    open_database(conf).transact(lambda session: users.set_password(session, name, stored))
    if generate:
        click.echo(password)


@user.command()
@configured
@click.argument("name")
@click.option("--project", required=True)
@_roles(["member"])
def grant(conf: ConfigOpts, name: str, project: str, roles: tuple[str, ...]) -> None:
    """Give roles more in a project, which is there as soon as somebody has a role in it."""
    open_database(conf).transact(lambda session: users.grant(session, name, project, roles))


@user.command()
@configured
@click.argument("name")
@click.option("--project", required=True)
@_roles([])
def revoke(conf: ConfigOpts, name: str, project: str, roles: tuple[str, ...]) -> None:
    """Take roles in a project, or all of them when no --role says which."""
    open_database(conf).transact(lambda session: users.revoke(session, name, project, roles))


def _password(generate: bool) -> str:
    """Never an argument, which every process of the machine could read."""
    if generate:
        return secrets.token_urlsafe(24)
    if sys.stdin.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return typed
    line = sys.stdin.readline().rstrip("\n")
    if not line:
        raise InvalidInput("A password is a line of standard input, or made with --generate.")
    return line
