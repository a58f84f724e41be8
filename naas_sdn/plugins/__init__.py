"""The contracts, the registry, the dispatcher, and the plugins that ship."""
