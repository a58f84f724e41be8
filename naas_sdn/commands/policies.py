"""`naas-sdn policy`: the rules in force, before and while they are served."""
from __future__ import annotations

import click

from naas_sdn.commands.options import configured
from naas_sdn.config import ConfigOpts
from naas_sdn.service import policy_rules
from naas_sdn.service.policy_file import PolicyFiles


@click.group("policy")
def policies() -> None:
    """Who may what: the default rules, and the policy files over them."""


@policies.command("list")
@configured
@click.option("--changed", is_flag=True, help="Only what is not as by default.")
def list_(conf: ConfigOpts, changed: bool) -> None:
    """Every rule as it is in force, in the form of a policy file."""
    usual = policy_rules.texts()
    for name, text in PolicyFiles(conf).rules().texts.items():
        if not changed or usual.get(name) != text:
            click.echo(f'"{name}": "{text}"')


@policies.command()
@configured
def check(conf: ConfigOpts) -> None:
    """Whether the policy files can be used; and which of their rules nothing asks for."""
    rules = PolicyFiles(conf).rules()
    for name in sorted(rules.idle):
        click.echo(f"{name}: nothing asks for it: it is of something that is not served here, or misspelt")
    click.echo(f"The policy can be used: {len(rules.texts)} rules, {len(rules.changed)} of them not as by default.")
