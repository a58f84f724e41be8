"""Gateways of routers."""
import sqlalchemy as sa
from alembic import op

revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('router_gateways',
    sa.Column('router_id', sa.String(length=36), nullable=False),
    sa.Column('network_id', sa.String(length=36), nullable=False),
    sa.Column('port_id', sa.String(length=36), nullable=False),
    sa.Column('enable_snat', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['router_id'], ['routers.id']),
    sa.ForeignKeyConstraint(['network_id'], ['networks.id']),
    sa.ForeignKeyConstraint(['port_id'], ['ports.id']),
    sa.PrimaryKeyConstraint('router_id'),
    sa.UniqueConstraint('port_id')
    )
    op.create_index('ix_router_gateways_network_id', 'router_gateways', ['network_id'])


def downgrade() -> None:
    op.drop_table('router_gateways')
