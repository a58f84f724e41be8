"""The operator's commands, one module a group; each opens the database that the configuration names."""
