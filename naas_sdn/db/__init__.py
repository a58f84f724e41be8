"""The truth: rows, transactions, the journal, migrations."""
from naas_sdn.db import gateway_rows, security_group_rows  # noqa: F401 - rows.py names its classes, so whoever has the one has both
