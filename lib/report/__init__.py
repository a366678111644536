"""Exhibits, charts, tables, text, the weekly run and its export."""
