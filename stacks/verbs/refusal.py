"""What the system refuses in a place that has no words of its own for it."""


def refusal(error: OSError) -> str:
    """One line: the file, the reason, what to do."""
    reason = " ".join((error.strerror or str(error) or type(error).__name__).split())
    if error.filename is None:  # a full disk or a cut connection names no file
        return f"{reason}; check the disk and the connection"
    return f"{error.filename}: {reason}; check the path and the rights"
