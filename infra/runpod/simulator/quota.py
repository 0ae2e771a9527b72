"""Rate limits: so many requests a minute, an hour, a day, as the contract's headers tell."""

import time
from threading import Lock

WINDOWS = (("minute", 60, 1), ("hour", 3600, 50), ("day", 86400, 833))
"""Name, seconds, and how many times the minute's quota it has (60, 3000, 50000 in the contract's example)."""


class Quota:
    """Of one key.

    Args:
        per_minute: None is exempt: nothing is counted and no header is sent.
    """

    def __init__(self, per_minute: int | None) -> None:
        self._per_minute = per_minute
        self._used: dict[str, tuple[float, int]] = {}
        self._lock = Lock()

    def take(self) -> tuple[dict[str, str], str | None, int]:
        """Count one request. Headers, the window that is exceeded if one is, and the seconds until it is not."""
        if self._per_minute is None:
            return {}, None, 0
        now = time.monotonic()
        left, policy, over, wait_s = [], [], None, 0
        with self._lock:
            for name, seconds, times in WINDOWS:
                quota = self._per_minute * times
                began, used = self._used.get(name, (now, 0))
                if now >= began + seconds:
                    began, used = now, 0
                resets_s = max(1, round(began + seconds - now))
                if used >= quota:
                    over, wait_s = name, max(wait_s, resets_s)
                else:
                    used += 1
                self._used[name] = (began, used)
                left.append(f'"{name}";r={quota - used};t={resets_s}')
                policy.append(f'"{name}";q={quota};w={seconds}')
        return {"RateLimit": ", ".join(left), "RateLimit-Policy": ", ".join(policy)}, over, wait_s
