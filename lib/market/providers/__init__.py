"""Live data: free public sources, asked politely, believed only after checks."""
