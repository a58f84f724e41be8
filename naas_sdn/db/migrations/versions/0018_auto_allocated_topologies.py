"""The default external network, and topologies that projects got of the cloud."""
import sqlalchemy as sa
from alembic import op

revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('networks', sa.Column('is_default', sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table('auto_allocated_topologies',
    sa.Column('project_id', sa.String(length=255), nullable=False),
    sa.Column('network_id', sa.String(length=36), nullable=False),
    sa.Column('router_id', sa.String(length=36), nullable=True),
    sa.ForeignKeyConstraint(['network_id'], ['networks.id'], ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['router_id'], ['routers.id'], ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('project_id')
    )
    op.create_index('ix_auto_allocated_topologies_network_id', 'auto_allocated_topologies', ['network_id'])
    op.create_index('ix_auto_allocated_topologies_router_id', 'auto_allocated_topologies', ['router_id'])


def downgrade() -> None:
    op.drop_table('auto_allocated_topologies')
    op.drop_column('networks', 'is_default')
