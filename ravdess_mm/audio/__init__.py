"""From a clip of any container to one named vector of voice features."""
