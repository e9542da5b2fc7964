"""As much of the Hugging Face Hub as an upload meets, on loopback; keeps what it is sent."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class Hub:
    """`created` says of each repository whether it was asked to be private.

    Args:
        public: a repository that exists and is open to all, whatever is asked for.
        status: of every answer.
    """

    def __init__(self, *, public: bool = False, status: int = 200) -> None:
        self.public = public
        self.status = status
        self.asked: list[str] = []
        self.created: dict[str, bool] = {}
        self.files: dict[str, bytes] = {}
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._say(hub.answer("GET", self.path, b""))

            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length", 0))
                self._say(hub.answer("POST", self.path, self.rfile.read(size)))

            def _say(self, said: dict[str, Any]) -> None:
                body = json.dumps(said).encode()
                self.send_response(hub.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, method: str, path: str, body: bytes) -> dict[str, Any]:
        """What the Hub would say."""
        self.asked.append(f"{method} {path}")
        if path == "/api/repos/create":
            raw = json.loads(body)
            name = "/".join(filter(None, (raw.get("organization"), raw["name"])))
            self.created[name] = bool(raw.get("private") or raw.get("visibility") == "private")
            return {"url": f"{self.url}/{name}"}
        if "/preupload/" in path:
            files = json.loads(body)["files"]
            return {
                "files": [
                    {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for file in files
                ]
            }
        if "/commit/" in path:
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    content = base64.b64decode(entry["value"]["content"])
                    self.files[entry["value"]["path"]] = content
            return {"commitUrl": f"{self.url}/paper/oracle/commit/{1:040}", "commitOid": "1" * 40}
        if path.startswith("/api/models/"):
            private = not self.public and next(iter(self.created.values()), True)
            return {"id": path.removeprefix("/api/models/"), "private": private, "siblings": []}
        return {"errors": [], "warnings": [], "name": "tester"}

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
