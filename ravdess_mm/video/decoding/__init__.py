"""A video file -> its frames, gray and upright, bit for bit."""
