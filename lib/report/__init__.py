"""The report: commentary, scorecard, changes, page, PDF and appendices made of a run's exhibits."""
