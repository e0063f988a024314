"""Looks at the server's own list of clients while something else runs.

Promises: the largest figures of all looks, ten a second, through one connection: a new one for
each look would be a load of its own.
Never: a look through Plimsoll.
"""

import threading

from postgres.server import Looks

EVERY_SECONDS = 0.1


class Watch:
    """The most connections, and the oldest snapshot, seen inside a `with`."""

    def __init__(self, url):
        self.url, self.over = url, threading.Event()
        self.connections = self.busy = self.looks = 0
        self.age_seconds = 0.0

    def __enter__(self):
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()
        return self

    def look(self):
        with Looks(self.url) as looks:
            while not self.over.wait(EVERY_SECONDS):
                connections, busy, age = looks.seen()
                self.connections = max(self.connections, connections)
                self.busy = max(self.busy, busy)
                self.age_seconds = max(self.age_seconds, age)
                self.looks += 1

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
