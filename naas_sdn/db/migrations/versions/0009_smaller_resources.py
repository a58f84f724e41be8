"""QoS rules of every type; trunks; service types of subnets; segments."""
import uuid
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('qos_rules',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('policy_id', sa.String(length=36), nullable=False),
    sa.Column('type', sa.String(length=32), nullable=False),
    sa.Column('direction', sa.String(length=8), nullable=False),
    sa.Column('value', sa.Integer(), nullable=False),
    sa.Column('burst', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['policy_id'], ['qos_policies.id']),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('policy_id', 'type', 'direction')
    )
    op.execute("INSERT INTO qos_rules (id, policy_id, type, direction, value, burst) "
               "SELECT id, policy_id, 'bandwidth_limit', direction, max_kbps, max_burst_kbps "
               "FROM qos_bandwidth_limit_rules")
    op.drop_table('qos_bandwidth_limit_rules')
    op.add_column('subnets', sa.Column('service_types', sa.JSON(), nullable=False, server_default='[]'))
    segments = op.create_table('segments',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('network_id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=True),
    sa.Column('description', sa.String(length=255), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('updated_at', sa.DateTime(), nullable=False),
    sa.Column('revision_number', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['network_id'], ['networks.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('network_id')
    )
    networks = op.get_bind().execute(sa.text('SELECT id FROM networks')).scalars().all()
    now = datetime.now(UTC).replace(microsecond=0, tzinfo=None)
    op.bulk_insert(segments, [{'id': str(uuid.uuid4()), 'network_id': network, 'description': '', 'created_at': now,
                               'updated_at': now, 'revision_number': 1} for network in networks])
    op.create_table('trunks',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('project_id', sa.String(length=255), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('description', sa.String(length=255), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('updated_at', sa.DateTime(), nullable=False),
    sa.Column('revision_number', sa.Integer(), nullable=False),
    sa.Column('port_id', sa.String(length=36), nullable=False),
    sa.Column('admin_state_up', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['port_id'], ['ports.id']),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('port_id')
    )
    op.create_index('ix_trunks_project_id', 'trunks', ['project_id'])
    op.create_table('subports',
    sa.Column('port_id', sa.String(length=36), nullable=False),
    sa.Column('trunk_id', sa.String(length=36), nullable=False),
    sa.Column('segmentation_type', sa.String(length=8), nullable=False),
    sa.Column('segmentation_id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['port_id'], ['ports.id']),
    sa.ForeignKeyConstraint(['trunk_id'], ['trunks.id']),
    sa.PrimaryKeyConstraint('port_id'),
    sa.UniqueConstraint('trunk_id', 'segmentation_type', 'segmentation_id')
    )
    op.create_index('ix_subports_trunk_id', 'subports', ['trunk_id'])


def downgrade() -> None:
    op.drop_table('segments')
    op.drop_table('subports')
    op.drop_table('trunks')
    op.drop_column('subnets', 'service_types')
    op.create_table('qos_bandwidth_limit_rules',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('policy_id', sa.String(length=36), nullable=False),
    sa.Column('direction', sa.String(length=8), nullable=False),
    sa.Column('max_kbps', sa.Integer(), nullable=False),
    sa.Column('max_burst_kbps', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['policy_id'], ['qos_policies.id']),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('policy_id', 'direction')
    )
    op.execute("INSERT INTO qos_bandwidth_limit_rules (id, policy_id, direction, max_kbps, max_burst_kbps) "
               "SELECT id, policy_id, direction, value, burst FROM qos_rules WHERE type = 'bandwidth_limit'")
    op.drop_table('qos_rules')
