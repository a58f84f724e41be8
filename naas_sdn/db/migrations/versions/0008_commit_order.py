"""The transactions of the journal, for on PostgreSQL they do not commit in the order of its numbers."""
import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    postgresql = op.get_bind().dialect.name == 'postgresql'
    op.add_column('journal', sa.Column('xid', sa.BigInteger(), nullable=False, server_default=sa.text(
        '(pg_current_xact_id()::text::bigint)' if postgresql else '0')))
    op.create_index('ix_journal_order', 'journal', ['xid', 'seq'])


def downgrade() -> None:
    op.drop_index('ix_journal_order', 'journal')
    op.drop_column('journal', 'xid')
