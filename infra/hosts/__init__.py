"""Machines that can run a command: this one, or one reached by SSH."""
