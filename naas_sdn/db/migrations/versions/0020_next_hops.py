"""Slots of routers' gateways, and who answers for the gateways of external networks."""
import sqlalchemy as sa
from alembic import op

revision = '0020'
down_revision = '0019'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('router_gateways', sa.Column('slot', sa.Integer(), nullable=True))
    gateways = sa.table('router_gateways', sa.column('router_id'), sa.column('slot', sa.Integer()))
    for slot, router_id in enumerate(op.get_bind().scalars(sa.select(gateways.c.router_id)).all()):
        op.get_bind().execute(sa.update(gateways).where(gateways.c.router_id == router_id).values(slot=slot))
    with op.batch_alter_table('router_gateways') as batch:
        batch.alter_column('slot', existing_type=sa.Integer(), nullable=False)
        batch.create_unique_constraint('uq_router_gateways_slot', ['slot'])
    op.create_table(
        'sightings',
        sa.Column('network_id', sa.String(36), sa.ForeignKey('networks.id', ondelete='CASCADE'), primary_key=True),
        sa.Column('ip_address', sa.String(64), primary_key=True),
        sa.Column('mac_address', sa.String(32), nullable=False))


def downgrade() -> None:
    op.drop_table('sightings')
    with op.batch_alter_table('router_gateways') as batch:
        batch.drop_constraint('uq_router_gateways_slot')
        batch.drop_column('slot')
