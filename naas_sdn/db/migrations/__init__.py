"""The schema's history (Alembic). `migrate` brings a database to this version."""
from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config


def alembic_config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def migrate(url: str) -> None:
    """Run what is missing; nothing when nothing is."""
    command.upgrade(alembic_config(url), "head")
