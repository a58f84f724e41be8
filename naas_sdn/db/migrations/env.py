"""How Alembic reaches the database: online only, batch mode because SQLite cannot alter in place."""
from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool

from naas_sdn.db.rows import Row

engine = create_engine(context.config.get_main_option("sqlalchemy.url") or "", poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Row.metadata, render_as_batch=True, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()
