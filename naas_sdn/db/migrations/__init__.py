"""The schema's history (Alembic). `migrate` brings a database to this version."""
from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from naas_sdn.db import postgresql
from naas_sdn.errors import ConfigurationError

SQLITE = "sqlite:///"


def alembic_config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def migrate(url: str) -> None:
    """Run what is missing; nothing when nothing is. A SQLite file is made when it is not there.

    Raises ConfigurationError when the database cannot be used, or is of a later version.
    """
    where = postgresql.parse(url)
    try:
        if where is not None:
            postgresql.require_order(where)
        if url.startswith(SQLITE):
            Path(url.removeprefix(SQLITE)).parent.mkdir(parents=True, exist_ok=True)
        command.upgrade(alembic_config(url), "head")
    except (OSError, SQLAlchemyError, CommandError) as error:
        shown = url if where is None else where.render_as_string()
        raise ConfigurationError(f"[database] connection {shown}: {error}") from error
