"""How machines of an IPv6 subnet get their addresses."""
import sqlalchemy as sa
from alembic import op

revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None

MODES = ('ipv6_ra_mode', 'ipv6_address_mode')


def upgrade() -> None:
    for name in MODES:
        op.add_column('subnets', sa.Column(name, sa.String(length=16), nullable=True))


def downgrade() -> None:
    for name in MODES:
        op.drop_column('subnets', name)
