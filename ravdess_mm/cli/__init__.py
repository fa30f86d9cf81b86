"""The command ``ravdess-mm``, a module a group of verbs."""
