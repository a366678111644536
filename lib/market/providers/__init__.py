"""Live data from free public sources: polite requests, responses checked before they are stored."""
