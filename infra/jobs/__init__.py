"""Jobs that run somewhere, looked at and stopped the same way everywhere."""
