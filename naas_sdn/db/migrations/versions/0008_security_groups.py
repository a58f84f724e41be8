"""Security groups, their rules, and the ports in them."""
import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('security_groups',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('project_id', sa.String(length=255), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('description', sa.String(length=255), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('updated_at', sa.DateTime(), nullable=False),
    sa.Column('revision_number', sa.Integer(), nullable=False),
    sa.Column('stateful', sa.Boolean(), nullable=False),
    sa.Column('default_of', sa.String(length=255), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('default_of')
    )
    op.create_index('ix_security_groups_project_id', 'security_groups', ['project_id'])
    op.create_table('security_group_rules',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('project_id', sa.String(length=255), nullable=False),
    sa.Column('security_group_id', sa.String(length=36), nullable=False),
    sa.Column('direction', sa.String(length=8), nullable=False),
    sa.Column('ethertype', sa.String(length=4), nullable=False),
    sa.Column('protocol', sa.String(length=40), nullable=True),
    sa.Column('port_range_min', sa.Integer(), nullable=True),
    sa.Column('port_range_max', sa.Integer(), nullable=True),
    sa.Column('remote_ip_prefix', sa.String(length=64), nullable=True),
    sa.Column('remote_group_id', sa.String(length=36), nullable=True),
    sa.Column('content', sa.String(length=160), nullable=False),
    sa.Column('description', sa.String(length=255), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('updated_at', sa.DateTime(), nullable=False),
    sa.Column('revision_number', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['security_group_id'], ['security_groups.id']),
    sa.ForeignKeyConstraint(['remote_group_id'], ['security_groups.id']),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('security_group_id', 'content')
    )
    op.create_index('ix_security_group_rules_project_id', 'security_group_rules', ['project_id'])
    op.create_index('ix_security_group_rules_remote_group_id', 'security_group_rules', ['remote_group_id'])
    op.create_table('port_security_groups',
    sa.Column('port_id', sa.String(length=36), nullable=False),
    sa.Column('security_group_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['port_id'], ['ports.id'], ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['security_group_id'], ['security_groups.id']),
    sa.PrimaryKeyConstraint('port_id', 'security_group_id')
    )
    op.create_index('ix_port_security_groups_security_group_id', 'port_security_groups', ['security_group_id'])


def downgrade() -> None:
    op.drop_table('port_security_groups')
    op.drop_table('security_group_rules')
    op.drop_table('security_groups')
