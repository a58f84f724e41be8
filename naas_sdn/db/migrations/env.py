"""How Alembic reaches the database: online only, batch mode because SQLite cannot alter in place."""
from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool, text

from naas_sdn.db import postgresql
from naas_sdn.db.rows import Row

LOCK = 0x6E616173
"""Of whoever migrates, among PostgreSQL's advisory locks: a second one waits, and finds nothing to do."""

url = context.config.get_main_option("sqlalchemy.url") or ""
engine = create_engine(postgresql.parse(url) or url, poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Row.metadata, render_as_batch=True, compare_type=True)
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        context.run_migrations()
