"""Keys of security groups and address groups, which registers carry."""
import sqlalchemy as sa
from alembic import op

revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None

TABLES = ('security_groups', 'address_groups')


def upgrade() -> None:
    keys = sa.Table('keys', sa.MetaData(), sa.Column('id', sa.Integer(), primary_key=True, autoincrement=True))
    for name in TABLES:
        op.add_column(name, sa.Column('key', sa.Integer(), nullable=True))
        table = sa.table(name, sa.column('id'), sa.column('key', sa.Integer()))
        for identifier in op.get_bind().scalars(sa.select(table.c.id)).all():
            made = op.get_bind().execute(sa.insert(keys)).inserted_primary_key
            assert made is not None
            op.get_bind().execute(sa.update(table).where(table.c.id == identifier).values(key=made[0]))
        with op.batch_alter_table(name) as batch:
            batch.alter_column('key', existing_type=sa.Integer(), nullable=False)
            batch.create_unique_constraint(f'uq_{name}_key', ['key'])


def downgrade() -> None:
    for name in TABLES:
        with op.batch_alter_table(name) as batch:
            batch.drop_constraint(f'uq_{name}_key')
            batch.drop_column('key')
