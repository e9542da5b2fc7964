"""Real Redis servers of every sort, that nobody brings back but the test."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError

from exchange.net import listen_anywhere
from exchange.queue.redis_process import find_binary
from tests.conftest import end_bound, start_bound


class OwnServer:
    """One server on loopback; `options` are those of its command line."""

    def __init__(self, folder: Path, *options: str, tls: bool = False) -> None:
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._options = options
        self._front: TlsFront | None = None
        if tls:
            self.url = f"rediss://127.0.0.1:{self.port}/0"
            options = ("--port", "0", "--tls-port", str(self.port), *certificates(folder))
            if not _knows(folder, options):  # it was built without
                self._front = TlsFront(self.port, folder)
                options = ("--port", str(self._front.behind))
            self._options += options
        else:
            self.url = f"redis://127.0.0.1:{self.port}/0"
            self._options += ("--port", str(self.port))

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        common = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "yes")
        self._process = start_bound(
            str(find_binary()), *self._options, *common, "--dir", str(self.folder)
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.05)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._front is not None:
            self._front.close()
        end_bound(self._process)

    def client(self) -> Redis:
        """One that waits while the server loads."""
        found, deadline = Redis.from_url(self.url), time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                found.ping()
                break
            except ConnectionError:
                time.sleep(0.05)
        return found


def _knows(folder: Path, options: tuple[str, ...]) -> bool:
    """Does this build of the server take these options? `CHECK` is none, so it ends at once."""
    command = [str(find_binary()), *options, "--maxmemory", "CHECK"]
    told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return "CHECK" in told.stdout + told.stderr


class TlsFront:
    """TLS before a server on `behind` that was built without it, as stunnel gives it one."""

    def __init__(self, port: int, folder: Path) -> None:
        self.behind = free_port()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "server.crt", folder / "server.key")
        self._listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more clients; those that are there end with the server."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it was closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            self._context.wrap_socket(client, server_side=True) as tls,
        ):
            tls.settimeout(0.02)  # one thread alone may use it, so it looks at both in turn
            with socket.create_connection(("127.0.0.1", self.behind)) as server:
                server.settimeout(0.02)
                while _passed(tls, server) and _passed(server, tls):
                    pass


def _passed(one: socket.socket, other: socket.socket) -> bool:
    """Hand on what there is; false when the first has ended."""
    try:
        data = one.recv(1 << 16)
    except TimeoutError:
        return True
    other.sendall(data)
    return bool(data)


def free_port() -> int:
    """One that leaves room for a cluster's second port, which is higher by ten thousand."""
    with listen_anywhere() as probe:
        return int(probe.getsockname()[1])


def certificates(folder: Path) -> tuple[str, ...]:
    """An authority and a certificate of 127.0.0.1 signed by it, and the options that name them."""
    key, signed, authority = folder / "server.key", folder / "server.crt", folder / "ca.crt"
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    asked = "openssl req -newkey rsa:2048 -nodes"
    for command in (
        f"{asked} -x509 -keyout ca.key -out ca.crt -days 2 -subj /CN=test",
        f"{asked} -keyout server.key -out server.csr -subj /CN=server",
        "openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial "
        "-out server.crt -days 2 -extfile names",
    ):
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return (
        *("--tls-cert-file", str(signed), "--tls-key-file", str(key)),
        *("--tls-ca-cert-file", str(authority), "--tls-auth-clients", "no"),
    )
