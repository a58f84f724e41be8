"""Floating addresses."""
import sqlalchemy as sa
from alembic import op

revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('floating_ips',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('project_id', sa.String(length=255), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('description', sa.String(length=255), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('updated_at', sa.DateTime(), nullable=False),
    sa.Column('revision_number', sa.Integer(), nullable=False),
    sa.Column('floating_network_id', sa.String(length=36), nullable=False),
    sa.Column('floating_port_id', sa.String(length=36), nullable=False),
    sa.Column('floating_ip_address', sa.String(length=64), nullable=False),
    sa.Column('port_id', sa.String(length=36), nullable=True),
    sa.Column('fixed_ip_address', sa.String(length=64), nullable=True),
    sa.Column('router_id', sa.String(length=36), nullable=True),
    sa.ForeignKeyConstraint(['floating_network_id'], ['networks.id']),
    sa.ForeignKeyConstraint(['floating_port_id'], ['ports.id']),
    sa.ForeignKeyConstraint(['port_id'], ['ports.id']),
    sa.ForeignKeyConstraint(['router_id'], ['routers.id']),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('floating_port_id'),
    sa.UniqueConstraint('port_id', 'fixed_ip_address', 'floating_network_id')
    )
    for name in ('project_id', 'floating_network_id', 'floating_ip_address', 'router_id'):
        op.create_index(f'ix_floating_ips_{name}', 'floating_ips', [name])


def downgrade() -> None:
    op.drop_table('floating_ips')
