"""What several kinds of tests share: named topologies, private switches, doubles of plugins."""
