"""From a clip to frames, from frames to a network's answer."""
