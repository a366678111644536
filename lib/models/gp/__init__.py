"""Genetic-programming factors for sector rotation: inputs, operators, search, libraries,
walk-forward.
"""
