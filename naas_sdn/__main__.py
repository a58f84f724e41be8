"""The `naas-sdn` command. The hub patches the standard library before anything else is imported."""
# ruff: noqa: E402, PLC0415
from __future__ import annotations

from naas_sdn import runtime

runtime.start()

import logging
import sys

import click
from oslo_config import cfg

from naas_sdn import config
from naas_sdn.commands.database import database
from naas_sdn.commands.hypervisor import hypervisor
from naas_sdn.commands.policies import policies
from naas_sdn.commands.tokens import token
from naas_sdn.commands.users import user
from naas_sdn.commands.verify import repair, verify
from naas_sdn.errors import NaasError

config_file = click.option("--config-file", "config_files", multiple=True, type=click.Path(exists=True, dir_okay=False),
                           help="Options; may be given more than once, the later one wins.")


@click.group()
@click.version_option(package_name="naas-sdn")
def cli() -> None:
    """A Network-as-a-Service controller: the Neutron API on OpenFlow switches."""


@cli.command()
@config_file
@click.option("--log-level", default="INFO", show_default=True,
              type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], case_sensitive=False))
@click.option("--api-workers", type=click.IntRange(min=0), help="Serve the API from this many processes of its own.")
def serve(config_files: tuple[str, ...], log_level: str, api_workers: int | None) -> None:
    """Run the controller until it is told to stop (SIGTERM)."""
    from naas_sdn import bootstrap

    _log(log_level)
    conf = config.load(files=config_files or None)
    if api_workers is not None:
        conf.set_override("workers", api_workers, "api")
    bootstrap.serve(conf, config_files)


@cli.command("api-worker", hidden=True)
@config_file
@click.option("--listener", type=int, required=True)
@click.option("--nudge", type=int, required=True)
def api_worker(config_files: tuple[str, ...], listener: int, nudge: int) -> None:
    """One API process; started by serve."""
    from naas_sdn import bootstrap

    _log("INFO")
    bootstrap.serve_api(config.load(files=config_files or None), listener, nudge)


def _log(level: str) -> None:
    logging.basicConfig(level=level, stream=sys.stderr,
                        format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for noisy in ("alembic", "os_ken", "ofp_event"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def main() -> None:
    """Entry point: errors of ours are one line on standard error and status 1."""
    for command in (database, hypervisor, policies, token, user, verify, repair):
        cli.add_command(command)
    try:
        cli()
    except (NaasError, cfg.Error) as error:
        click.echo(f"naas-sdn: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
