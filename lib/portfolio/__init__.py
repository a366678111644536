"""Weights: risk budgets, backtest, metrics."""
