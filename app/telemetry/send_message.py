"""A program of its own: sends one message by apprise and says which addresses took it.

In a process of its own, because whatever a hundred services' plug-ins print, log or wait for must neither show an
address (it may hold a token) nor hold up a training. Standard input: {addresses, title, body, within_s} as JSON;
standard output: a list, true where the address took it.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor, wait

APPRISE_MISSING = 3


def main() -> int:
    """Send to every address at once; the exit code."""
    try:
        import apprise
    except ImportError:
        return APPRISE_MISSING
    asked = json.load(sys.stdin)
    answer, sys.stdout = sys.stdout, sys.stderr  # what a plug-in prints is no answer

    def send(address: str) -> bool:
        client = apprise.Apprise()
        return bool(client.add(address) and client.notify(title=asked["title"], body=asked["body"]))

    pool = ThreadPoolExecutor(len(asked["addresses"]))
    sent = [pool.submit(send, address) for address in asked["addresses"]]
    done, _ = wait(sent, timeout=asked["within_s"])
    answer.write(json.dumps([s in done and s.exception() is None and s.result() for s in sent]))
    answer.flush()
    return 0


if __name__ == "__main__":
    os._exit(main())  # threads that still wait for a service must not keep this alive
