"""Bridges to remote sites."""
import sqlalchemy as sa
from alembic import op

revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'bridges',
        sa.Column('network_id', sa.String(36), sa.ForeignKey('networks.id'), nullable=False),
        sa.Column('type', sa.String(32), nullable=True),
        sa.Column('remote_endpoint', sa.String(64), nullable=True),
        sa.Column('udp_port', sa.Integer(), nullable=True),
        sa.Column('key', sa.BigInteger(), nullable=True),
        sa.Column('tunnel', sa.String(128), nullable=True, unique=True),
        sa.Column('port_id', sa.String(36), sa.ForeignKey('ports.id'), nullable=True, unique=True),
        sa.Column('made_port', sa.Boolean(), nullable=False),
        sa.Column('id', sa.String(36), primary_key=True),
        sa.Column('project_id', sa.String(255), nullable=False),
        sa.Column('name', sa.String(255), nullable=False),
        sa.Column('description', sa.String(255), nullable=False),
        sa.Column('created_at', sa.DateTime(), nullable=False),
        sa.Column('updated_at', sa.DateTime(), nullable=False),
        sa.Column('revision_number', sa.Integer(), nullable=False))
    op.create_index('ix_bridges_network_id', 'bridges', ['network_id'])
    op.create_index('ix_bridges_project_id', 'bridges', ['project_id'])


def downgrade() -> None:
    op.drop_table('bridges')
