"""The embedded sample corpus: computed voices and drawn faces under RAVDESS names, made on the spot."""
