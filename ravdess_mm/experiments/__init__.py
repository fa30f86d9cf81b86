"""Experiments beside a run's models: robustness, cross-corpus, leakage, importance."""
