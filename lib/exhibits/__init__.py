"""What notebooks show with: the run they open, charts, tables, style, translations, parameters,
published numbers.
"""
