"""A VIF on one VLAN of an interface, which others may share: 0 is the untagged one."""
import sqlalchemy as sa
from alembic import op

revision = '0022'
down_revision = '0021'
branch_labels = None
depends_on = None

UNNAMED = {'uq': 'uq_%(table_name)s_%(column_0_N_name)s'}
"""What SQLite's constraint is called while it is looked at: the first schema gave it no name."""


def upgrade() -> None:
    _change(lambda batch: batch.add_column(sa.Column('vlan', sa.Integer(), nullable=False, server_default='0')),
            ['host', 'interface'], ['host', 'interface', 'vlan'])


def downgrade() -> None:
    vifs = sa.table('vifs', sa.column('vlan', sa.Integer()))
    op.get_bind().execute(sa.delete(vifs).where(vifs.c.vlan != 0))
    _change(lambda batch: batch.drop_column('vlan'), ['host', 'interface', 'vlan'], ['host', 'interface'])


def _change(columns, old: list[str], new: list[str]) -> None:  # type: ignore[no-untyped-def]
    sqlite = op.get_bind().dialect.name == 'sqlite'
    with op.batch_alter_table('vifs', naming_convention=UNNAMED) as batch:
        batch.drop_constraint('uq_vifs_' + '_'.join(old) if sqlite else f'vifs_{"_".join(old)}_key', type_='unique')
        columns(batch)
        batch.create_unique_constraint('uq_vifs_' + '_'.join(new) if sqlite else f'vifs_{"_".join(new)}_key', new)
