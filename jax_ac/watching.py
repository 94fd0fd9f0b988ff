"""Watching: the report of runs that are at work, served to this machine alone and renewed as their folders change.

The server has one page. It answers under the names of this machine's own loopback only, so that no other site can read it by
pointing a name of its own there (DNS rebinding).
"""

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from jax_ac import remote, run_folder, spending, store
from jax_ac.report import Watch, page
from jax_ac.studies import read_all

HOST = "127.0.0.1"
ASK_SECONDS = 10.0
"""Between two questions to an object store, where the folders are in one."""


class Watched:
    """The page of some folders, made anew when one of them has changed."""

    def __init__(self, paths: tuple[Path, ...]):
        self.paths = paths
        self._lock = threading.Lock()
        self._seen, self._tag, self._page = "", "", b""
        self._asked = -ASK_SECONDS

    def tag(self) -> str:
        """That of the page, as long as the folders are as they were when it was made."""
        seen = self._look()
        return self._tag if seen == self._seen else seen

    def _look(self) -> str:
        """Another tag after each change: a digest of the names of all parts, and when they were written."""
        self._ask()
        parts = [f"{path}:{_written(path)}" for folder in self.paths for path in _parts(folder)]
        return f'"{hashlib.sha256("|".join(parts).encode()).hexdigest()[:24]}"'

    def _ask(self) -> None:
        """Fetches what is new in an object store; if it does not answer, that is for later."""
        if time.monotonic() - self._asked >= ASK_SECONDS:
            self._asked = time.monotonic()
            with contextlib.suppress(OSError):
                for path in self.paths:
                    remote.pull(path)

    def changed(self) -> float:
        """When a part was last written, in seconds since 1970."""
        return max((_written(path) for folder in self.paths for path in _parts(folder)), default=time.time())

    def page(self) -> tuple[str, bytes]:
        """The tag and the page; the last one where the folders cannot be read any more.

        Raises:
          ValueError, OSError: if there is none yet.
        """
        with self._lock:
            seen = self._look()
            if seen != self._seen:
                try:
                    self._page = page(read_all(self.paths), Watch(seen, self.changed())).encode()
                    self._tag = seen
                except (ValueError, OSError):
                    if not self._page:
                        raise
                self._seen = seen
            return self._tag, self._page


class Server(ThreadingHTTPServer):
    """Serves the page of some folders on the loopback."""

    daemon_threads = True

    def __init__(self, watched: Watched, port: int):
        self.watched = watched
        super().__init__((HOST, port), Handler)

    @property
    def address(self) -> str:
        """Where it is served."""
        return f"http://{HOST}:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    """One page, and no other."""

    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]
    server_version, sys_version = "jax_ac", ""
    timeout = 30

    def do_HEAD(self) -> None:
        """Whether the page has changed, by its tag."""
        self._answer(lambda: (self.server.watched.tag(), b""))

    def do_GET(self) -> None:
        """The page."""
        self._answer(self.server.watched.page)

    def _answer(self, content: Callable[[], tuple[str, bytes]]) -> None:
        own = {f"{name}:{self.server.server_port}" for name in (HOST, "localhost")}
        if self.headers.get("Host") not in own:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return
        if self.path != "/":
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        tag, body = content()
        self.send_response(HTTPStatus.OK)
        for name, value in {**HEADERS, "ETag": tag, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a page that asks every two seconds is no news."""


HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def open_server(paths: tuple[Path, ...], port: int) -> Server:
    """A server that is bound, and whose folders could be read once. Raises ValueError otherwise."""
    watched = Watched(paths)
    watched.page()
    try:
        return Server(watched, port)
    except OSError as error:
        raise ValueError(f"--port {port} cannot be served on: {error.strerror or error}.") from None


def serve(server: Server) -> None:
    """Serves until Ctrl-C."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        server.shutdown()
    finally:
        server.server_close()


def _parts(folder: Path) -> list[Path]:
    """What changes in a folder as its run goes on."""
    runs = run_folder.runs_in(folder)
    files = [run / name for run in runs for name in (run_folder.CONFIG, spending.FILE)]
    sealed = [part for run in runs for name in (run_folder.LANES, run_folder.CHECKPOINT)
              for part in store.sealed_folders(run / name)]  # fmt: skip
    return [*files, *sealed]


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
