"""This machine: a container, a process, or one's own GPU server reached by SSH."""
