"""The sampled frames of all takes in one array on disk."""
