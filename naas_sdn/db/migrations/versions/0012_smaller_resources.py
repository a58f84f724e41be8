"""QoS rules of every type."""
import sqlalchemy as sa
from alembic import op

revision = '0012'
down_revision = '0007'
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


def downgrade() -> None:
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
