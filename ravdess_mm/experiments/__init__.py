"""What is measured beside a run's own models: robustness, other corpora, leaks."""
