"""The folder of a run, its settings, and what in it is up to date."""
