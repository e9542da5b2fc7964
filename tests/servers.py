"""Real Redis servers of every sort, that nobody brings back but the test."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError

from exchange.queue.redis_process import find_binary
from tests.conftest import end_bound, start_bound


class OwnServer:
    """One server on loopback; `options` are those of its command line."""

    def __init__(self, folder: Path, *options: str, tls: bool = False) -> None:
        self.port = free_port()
        self.answers = False
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._options = options
        if tls:
            self.url = f"rediss://127.0.0.1:{self.port}/0"
            self._options += ("--port", "0", "--tls-port", str(self.port), *certificates(folder))
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
                self.answers = True
                return
            except OSError:
                time.sleep(0.05)

    def kill(self) -> None:
        """End it as a power cut does."""
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


def free_port() -> int:
    """One that leaves room for a cluster's second port, which is higher by ten thousand."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            if (found := int(probe.getsockname()[1])) < 55_000:
                return found


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
