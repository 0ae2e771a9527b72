"""Simulated side-scan recordings and training tiles, fixed by their seed."""
