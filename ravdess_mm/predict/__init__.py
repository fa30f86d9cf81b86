"""A clip, a recording, an array -> what voice and face express."""
