"""Ground floor: the store, point-in-time reads, sessions and weeks, universes, sources."""
