"""External networks are found by their policies."""
from alembic import op

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index('ix_rbac_policies_action', 'rbac_policies', ['action', 'object_id'])


def downgrade() -> None:
    op.drop_index('ix_rbac_policies_action', 'rbac_policies')
