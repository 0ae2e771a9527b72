"""Records of a run on their way to a cloud's log."""
