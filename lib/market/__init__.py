"""Ground floor: store, point-in-time reads, sessions and weeks, universes, validation, sources."""
