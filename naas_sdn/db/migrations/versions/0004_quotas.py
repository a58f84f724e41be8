"""Quotas."""
import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, number in (('quotas', 'hard_limit'), ('quota_turns', 'turns')):
        op.create_table(table,
        sa.Column('project_id', sa.String(length=255), nullable=False),
        sa.Column('resource', sa.String(length=32), nullable=False),
        sa.Column(number, sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint('project_id', 'resource')
        )


def downgrade() -> None:
    op.drop_table('quota_turns')
    op.drop_table('quotas')
