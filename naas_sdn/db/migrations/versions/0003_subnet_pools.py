"""Subnet pools and address scopes."""
import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('address_scopes',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('project_id', sa.String(length=255), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('ip_version', sa.Integer(), nullable=False),
    sa.Column('shared', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_address_scopes_project_id', 'address_scopes', ['project_id'])
    op.create_table('subnetpools',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('project_id', sa.String(length=255), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('description', sa.String(length=255), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('updated_at', sa.DateTime(), nullable=False),
    sa.Column('revision_number', sa.Integer(), nullable=False),
    sa.Column('prefixes', sa.JSON(), nullable=False),
    sa.Column('ip_version', sa.Integer(), nullable=False),
    sa.Column('min_prefixlen', sa.Integer(), nullable=False),
    sa.Column('default_prefixlen', sa.Integer(), nullable=False),
    sa.Column('max_prefixlen', sa.Integer(), nullable=False),
    sa.Column('default_quota', sa.Integer(), nullable=True),
    sa.Column('is_default', sa.Boolean(), nullable=False),
    sa.Column('shared', sa.Boolean(), nullable=False),
    sa.Column('address_scope_id', sa.String(length=36), nullable=True),
    sa.ForeignKeyConstraint(['address_scope_id'], ['address_scopes.id']),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_subnetpools_project_id', 'subnetpools', ['project_id'])
    op.create_index('ix_subnetpools_address_scope_id', 'subnetpools', ['address_scope_id'])
    op.add_column('subnets', sa.Column('subnetpool_id', sa.String(length=36), nullable=True))
    op.create_index('ix_subnets_subnetpool_id', 'subnets', ['subnetpool_id'])


def downgrade() -> None:
    op.drop_index('ix_subnets_subnetpool_id', 'subnets')
    op.drop_column('subnets', 'subnetpool_id')
    op.drop_table('subnetpools')
    op.drop_table('address_scopes')
