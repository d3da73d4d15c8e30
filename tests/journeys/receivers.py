"""Who is sent something: a receiver of webhooks and a mailbox."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from threading import Thread
from typing import Any

from anyio.from_thread import start_blocking_portal

from tests.notifications.mail_server import Mail, serving
from tests.processes import HANG_SECONDS


@contextmanager
def receiving(status: int = 204) -> Iterator[tuple[str, SimpleQueue[tuple[dict[str, str], bytes]]]]:
    """The URL of a receiver, and what it has received."""
    received: SimpleQueue[tuple[dict[str, str], bytes]] = SimpleQueue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.put((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", received
        finally:
            server.shutdown()


class Box(list[Mail]):
    """What a mail server has taken, in another thread."""

    def __init__(self) -> None:
        self.came: SimpleQueue[Mail] = SimpleQueue()

    def append(self, mail: Mail) -> None:
        self.came.put(mail)

    def next(self, subject: str) -> Mail:
        """The next mail with this in its subject. Those before it are passed over."""
        while not re.search(subject, (mail := self.came.get(timeout=HANG_SECONDS)).subject):
            pass
        return mail


@contextmanager
def mailbox() -> Iterator[tuple[str, Box]]:
    """The URL of a mail server, and what it has taken."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(serving()) as mails:
        mails.mails = box = Box()
        yield f"smtp+plain://127.0.0.1:{mails.port}", box
