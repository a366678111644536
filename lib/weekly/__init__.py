"""The weekly run: execution of the notebooks, the run's folder, the command line."""
