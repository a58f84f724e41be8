"""What the commands share: the configuration option, and the database that it names."""
from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from naas_sdn import config
from naas_sdn.db.migrations import migrate
from naas_sdn.db.session import Database


def configured(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --config-file and hand over the loaded options as `conf`."""

    @click.option("--config-file", "config_files", multiple=True, type=click.Path(exists=True, dir_okay=False),
                  help="Options; may be given more than once, the later one wins.")
    @wraps(command)
    def load(config_files: tuple[str, ...], **rest: Any) -> Any:
        return command(conf=config.load(files=config_files or None), **rest)

    return load


def open_database(conf: config.ConfigOpts) -> Database:
    """The database of `conf`, migrated to this version; made when it is a file that is not there.

    Raises ConfigurationError when it cannot be used.
    """
    url = conf.database.connection
    database = Database(url, announcing=conf.nova.events)
    migrate(url)
    return database
