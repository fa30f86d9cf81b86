"""The stages of a run, one file each; they hold no algorithm."""
