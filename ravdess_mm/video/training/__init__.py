"""The network of the video branch, trained fold by fold."""
