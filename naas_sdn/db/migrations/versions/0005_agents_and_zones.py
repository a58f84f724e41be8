"""Agents, availability zones and their hints, inactive bindings of ports, what Nova was told."""
import uuid
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('hypervisors', sa.Column('availability_zone', sa.String(length=255), nullable=False,
                                           server_default='nova'))
    op.add_column('networks', sa.Column('availability_zone_hints', sa.JSON(), nullable=False, server_default='[]'))
    op.add_column('routers', sa.Column('availability_zone_hints', sa.JSON(), nullable=False, server_default='[]'))
    agents = op.create_table('agents',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('host', sa.String(length=64), nullable=False),
    sa.Column('admin_state_up', sa.Boolean(), nullable=False),
    sa.Column('description', sa.String(length=255), nullable=True),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('started_at', sa.DateTime(), nullable=True),
    sa.Column('lost_at', sa.DateTime(), nullable=True),
    sa.ForeignKeyConstraint(['host'], ['hypervisors.name'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('host')
    )
    op.create_table('port_bindings',
    sa.Column('port_id', sa.String(length=36), nullable=False),
    sa.Column('host', sa.String(length=255), nullable=False),
    sa.Column('vnic_type', sa.String(length=64), nullable=False),
    sa.Column('profile', sa.JSON(), nullable=False),
    sa.Column('bound', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['port_id'], ['ports.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('port_id', 'host')
    )
    op.create_table('compute_looks',
    sa.Column('seq', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('what', sa.String(length=8), nullable=False),
    sa.Column('port_id', sa.String(length=36), nullable=True),
    sa.Column('host', sa.String(length=64), nullable=True),
    sa.Column('server', sa.String(length=255), nullable=False),
    sa.PrimaryKeyConstraint('seq'),
    sqlite_autoincrement=True
    )
    op.create_table('compute_told',
    sa.Column('port_id', sa.String(length=36), nullable=False),
    sa.Column('server', sa.String(length=36), nullable=False),
    sa.Column('status', sa.String(length=8), nullable=False),
    sa.PrimaryKeyConstraint('port_id')
    )
    hosts = op.get_bind().execute(sa.text('SELECT name FROM hypervisors')).scalars().all()
    now = datetime.now(UTC).replace(microsecond=0, tzinfo=None)
    op.bulk_insert(agents, [{'id': str(uuid.uuid4()), 'host': host, 'admin_state_up': True, 'created_at': now}
                            for host in hosts])


def downgrade() -> None:
    op.drop_table('compute_told')
    op.drop_table('compute_looks')
    op.drop_table('port_bindings')
    op.drop_table('agents')
    op.drop_column('routers', 'availability_zone_hints')
    op.drop_column('networks', 'availability_zone_hints')
    op.drop_column('hypervisors', 'availability_zone')
