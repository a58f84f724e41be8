"""Physical networks and VLANs of networks, and the uplinks of hypervisors."""
import sqlalchemy as sa
from alembic import op

revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('openflow_networks', sa.Column('physical_network', sa.String(length=64), nullable=True))
    op.add_column('openflow_networks', sa.Column('vlan', sa.Integer(), nullable=True))
    op.create_index('ix_openflow_networks_vlan', 'openflow_networks', ['physical_network', 'vlan'], unique=True)
    op.create_table('hypervisor_uplinks',
    sa.Column('host', sa.String(length=64), nullable=False),
    sa.Column('physical_network', sa.String(length=64), nullable=False),
    sa.Column('interface', sa.String(length=15), nullable=False),
    sa.ForeignKeyConstraint(['host'], ['hypervisors.name'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('host', 'physical_network'),
    sa.UniqueConstraint('host', 'interface')
    )


def downgrade() -> None:
    op.drop_table('hypervisor_uplinks')
    op.drop_index('ix_openflow_networks_vlan', 'openflow_networks')
    op.drop_column('openflow_networks', 'vlan')
    op.drop_column('openflow_networks', 'physical_network')
