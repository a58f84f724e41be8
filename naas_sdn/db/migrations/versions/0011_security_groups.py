"""Security groups, their rules, the rules that new groups begin with, ports in groups, address groups."""
import uuid
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'
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
    op.create_table('address_groups',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('project_id', sa.String(length=255), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('description', sa.String(length=255), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('updated_at', sa.DateTime(), nullable=False),
    sa.Column('revision_number', sa.Integer(), nullable=False),
    sa.Column('addresses', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_address_groups_project_id', 'address_groups', ['project_id'])
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
    sa.Column('remote_address_group_id', sa.String(length=36), nullable=True),
    sa.Column('content', sa.String(length=160), nullable=False),
    sa.Column('description', sa.String(length=255), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('updated_at', sa.DateTime(), nullable=False),
    sa.Column('revision_number', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['security_group_id'], ['security_groups.id']),
    sa.ForeignKeyConstraint(['remote_group_id'], ['security_groups.id']),
    sa.ForeignKeyConstraint(['remote_address_group_id'], ['address_groups.id']),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('security_group_id', 'content')
    )
    op.create_index('ix_security_group_rules_project_id', 'security_group_rules', ['project_id'])
    op.create_index('ix_security_group_rules_remote_group_id', 'security_group_rules', ['remote_group_id'])
    op.create_index('ix_security_group_rules_remote_address_group_id', 'security_group_rules',
                    ['remote_address_group_id'])
    defaults = op.create_table('default_security_group_rules',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('direction', sa.String(length=8), nullable=False),
    sa.Column('ethertype', sa.String(length=4), nullable=False),
    sa.Column('protocol', sa.String(length=40), nullable=True),
    sa.Column('port_range_min', sa.Integer(), nullable=True),
    sa.Column('port_range_max', sa.Integer(), nullable=True),
    sa.Column('remote_ip_prefix', sa.String(length=64), nullable=True),
    sa.Column('remote_group_id', sa.String(length=36), nullable=True),
    sa.Column('remote_address_group_id', sa.String(length=36), nullable=True),
    sa.Column('content', sa.String(length=160), nullable=False),
    sa.Column('used_in_default_sg', sa.Boolean(), nullable=False),
    sa.Column('used_in_non_default_sg', sa.Boolean(), nullable=False),
    sa.Column('description', sa.String(length=255), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('updated_at', sa.DateTime(), nullable=False),
    sa.Column('revision_number', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['remote_address_group_id'], ['address_groups.id']),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('content')
    )
    now = datetime.now(UTC).replace(microsecond=0, tzinfo=None)
    op.bulk_insert(defaults, [
        {'id': str(uuid.uuid4()), 'direction': direction, 'ethertype': ethertype, 'remote_group_id': whom,
         'content': f"{direction} {ethertype} - - - {whom or '-'}", 'used_in_default_sg': True,
         'used_in_non_default_sg': whom is None, 'description': '', 'created_at': now, 'updated_at': now,
         'revision_number': 1}
        for direction, whom in (('egress', None), ('ingress', 'PARENT')) for ethertype in ('IPv4', 'IPv6')])
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
    op.drop_table('default_security_group_rules')
    op.drop_table('security_group_rules')
    op.drop_table('address_groups')
    op.drop_table('security_groups')
