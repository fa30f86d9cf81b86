"""Classifiers for any feature table, searched and calibrated with actor-grouped folds."""
