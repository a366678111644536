"""The weekly research suite in six floors: market, models, portfolio, exhibits, report, weekly.

A floor imports only those before it.
"""
