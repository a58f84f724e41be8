"""RBAC policies, with what a column shared so far; address pairs and DHCP options of ports; routes of routers."""
import uuid

import sqlalchemy as sa
from alembic import op

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None

SHARED = {'network': 'networks', 'qos_policy': 'qos_policies', 'subnetpool': 'subnetpools',
          'address_scope': 'address_scopes'}
PORTS = ('allowed_address_pairs', 'extra_dhcp_opts')
GRANT = {'action': 'access_as_shared', 'target_tenant': '*'}


def upgrade() -> None:
    policies = op.create_table('rbac_policies',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('project_id', sa.String(length=255), nullable=False),
    sa.Column('object_type', sa.String(length=32), nullable=False),
    sa.Column('object_id', sa.String(length=36), nullable=False),
    sa.Column('action', sa.String(length=32), nullable=False),
    sa.Column('target_tenant', sa.String(length=255), nullable=False),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('object_id', 'action', 'target_tenant')
    )
    op.create_index('ix_rbac_policies_project_id', 'rbac_policies', ['project_id'])
    op.create_index('ix_rbac_policies_target', 'rbac_policies',
                    ['target_tenant', 'object_type', 'action', 'object_id'])
    for kind, name in SHARED.items():
        table = sa.table(name, sa.column('id'), sa.column('project_id'), sa.column('shared', sa.Boolean()))
        rows = op.get_bind().execute(sa.select(table.c.id, table.c.project_id).where(table.c.shared)).all()
        op.bulk_insert(policies, [{'id': str(uuid.uuid4()), 'project_id': project, 'object_type': kind,
                                   'object_id': identifier, **GRANT} for identifier, project in rows])
        op.drop_column(name, 'shared')
    for name in PORTS:
        op.add_column('ports', sa.Column(name, sa.JSON(), nullable=False, server_default='[]'))
    op.add_column('routers', sa.Column('routes', sa.JSON(), nullable=False, server_default='[]'))


def downgrade() -> None:
    op.drop_column('routers', 'routes')
    for name in PORTS:
        op.drop_column('ports', name)
    policies = sa.table('rbac_policies', sa.column('object_id'), sa.column('action'), sa.column('target_tenant'))
    everybody = sa.select(policies.c.object_id).where(
        policies.c.action == GRANT['action'], policies.c.target_tenant == GRANT['target_tenant'])
    for name in SHARED.values():
        op.add_column(name, sa.Column('shared', sa.Boolean(), nullable=False, server_default=sa.false()))
        table = sa.table(name, sa.column('id'), sa.column('shared', sa.Boolean()))
        op.execute(table.update().where(table.c.id.in_(everybody)).values(shared=True))
    op.drop_table('rbac_policies')
