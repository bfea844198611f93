"""Settings and barograph.toml."""
