"""What the door checks, one module per kind of table."""
