"""Work ahead in a thread: the next blocks are read and corrected while the network looks at the last."""

import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")
POLL_S = 0.1


class _End:
    """The last thing in the queue: what ended the iterator, None for its natural end."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(items: Iterator[T], *, depth: int) -> Iterator[T]:
    """The same items in the same order, up to `depth` of them made in advance in a thread.

    An exception of `items` is raised where its item would have come. Closing this generator early ends the
    thread after the item it is making.
    """
    waiting: queue.Queue[T | _End] = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def put(item: T | _End) -> bool:
        while not stop.is_set():
            try:
                waiting.put(item, timeout=POLL_S)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as raised:  # noqa: BLE001 - handed to the reader of the queue, who raises it
            error = raised
        put(_End(error))

    thread = threading.Thread(target=work, name="survey-reader", daemon=True)
    thread.start()
    try:
        while True:
            item = waiting.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stop.set()
        thread.join()
