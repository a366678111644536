"""Price-volume scores of themes: bands, features, labels, learners, walk-forward, scores,
evidence.
"""
