"""The weekly research suite: market, models, portfolio and report, each floor importing only those below it."""
