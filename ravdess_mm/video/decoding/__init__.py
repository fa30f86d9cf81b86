"""Decoding of gray, upright frames, bit-exact."""
