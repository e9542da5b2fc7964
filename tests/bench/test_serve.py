"""What the servers answer, in whatever way they say that there is no text."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from bench.serve import servers


class _Server(BaseHTTPRequestHandler):
    content: str | None = None

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = {
            "choices": [{"message": {"role": "assistant", "content": self.content}}],
            "usage": {"completion_tokens": 3},
        }
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(("content", "text"), [("Ναι.", "Ναι."), ("", ""), (None, "")])
def test_an_answer_without_text_is_empty(
    monkeypatch: pytest.MonkeyPatch, content: str | None, text: str
) -> None:
    monkeypatch.setattr(_Server, "content", content)
    with HTTPServer(("127.0.0.1", 0), _Server) as server:
        Thread(target=server.handle_request, daemon=True).start()
        assert servers._ask(server.server_port, {"model": "tuned"}, "Πότε;") == (text, 3)


def test_answers_are_equal_by_their_greek_letters() -> None:
    assert servers.share_equal(["α\ufffdβ", "γ", ""], ["αβ?", "δ", ""]) == 0.6667
