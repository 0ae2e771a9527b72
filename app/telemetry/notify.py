"""Messages to people: webhook, mail, chat, whatever apprise can reach. Training neither waits nor fails for them."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from app.telemetry.send_message import APPRISE_MISSING

PROGRAM = Path(__file__).with_name("send_message.py")
TIMEOUT_S = 10.0
ANSWER_WITHIN_S = 8.0
"""The rest of the ten seconds is for a process to start and end."""


class Notifier:
    """Sends in the order in which it was asked, each message within ten seconds or not at all.

    What goes wrong is one note; an address is named by its number and kind alone, since the rest of it may be secret.
    """

    def __init__(self, addresses: str | None, *, note: Callable[[str], None]) -> None:
        """Args: `addresses` apprise URLs, separated by blanks or commas; None sends nothing."""
        self._addresses = split_addresses(addresses or "")
        self._note = note
        self._last: Thread | None = None

    def __bool__(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._addresses)

    def send(self, title: str, body: str) -> None:
        """Begin to send; returns at once."""
        if not self._addresses:
            return
        self._last = Thread(target=self._send, args=(self._last, title, body), name="notify", daemon=True)
        self._last.start()

    def close(self, *, timeout_s: float = TIMEOUT_S + 2) -> None:
        """Wait, bounded, for what is on its way."""
        if self._last is None:
            return
        self._last.join(timeout_s)
        if self._last.is_alive():
            self._note("a message is still on its way and is left behind")

    def _send(self, before: Thread | None, title: str, body: str) -> None:
        if before is not None:
            before.join()
        asked = {
            "addresses": self._addresses,
            "title": title,
            "body": body,
            "within_s": ANSWER_WITHIN_S,
        }
        started = time.monotonic()
        try:
            # -P: the folder of the program is no place to import from. A session of its own: Ctrl-C is not for it.
            done = subprocess.run(  # noqa: S603 this interpreter and our own file
                [sys.executable, "-P", str(PROGRAM)],
                input=json.dumps(asked),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                timeout=TIMEOUT_S,
                start_new_session=True,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            # Not the error's text: it may quote what was sent.
            took = f"after {time.monotonic() - started:.0f} s"
            self._note(f"a message was not sent ({type(error).__name__} {took}); training goes on")
            return
        if done.returncode == APPRISE_MISSING:
            self._note(
                "messages need apprise: pip install 'sonarstack[notify]'; training goes on without them"
            )
            return
        failed = _failed(done.stdout, len(self._addresses))
        if failed:
            names = ", ".join(_name(i, self._addresses[i]) for i in failed)
            self._note(
                f"a message did not get through to {names}; check notify_url and whether this machine reaches it"
            )


def split_addresses(text: str) -> tuple[str, ...]:
    """The addresses in a text; a comma inside one, as in `?to=a,b`, does not end it."""
    parts = re.split(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)", text.strip())
    return tuple(part.strip(" ,") for part in parts if part.strip(" ,"))


def _failed(answer: str, count: int) -> list[int]:
    """Numbers from 0 of the addresses that did not take it."""
    try:
        taken = json.loads(answer)
    except ValueError:
        return list(range(count))  # it died on the way
    return [i for i, took in enumerate(taken) if took is not True]


def _name(index: int, address: str) -> str:
    kind = re.match(r"([a-z][a-z0-9]{1,11})://", address)
    return f"address {index + 1}" + (f" ({kind.group(1)})" if kind else "")
