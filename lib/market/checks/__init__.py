"""Data-quality checks, one module per kind of table."""
