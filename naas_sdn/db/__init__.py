"""The truth: rows, transactions, the journal, migrations."""
