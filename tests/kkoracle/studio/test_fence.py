"""Who may ask the studio: this machine's own pages, and a proxy's that was named."""

from __future__ import annotations

import http.client
import re

from exchange.net import RequestFence
from tests.conftest import run_cli
from tests.kkoracle.studio.conftest import Server, Start
from tests.trainer.conftest import Desk

PUBLIC = "https://desk.example.org/archive"


def ask(
    server: Server, path: str, method: str = "GET", **headers: str
) -> tuple[int, str, dict[str, str]]:
    """One request, as whoever says such things of himself."""
    asked = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=60)
    try:
        asked.request(method, path, "" if method == "POST" else None, headers)
        reply = asked.getresponse()
        return reply.status, reply.read().decode(), dict(reply.getheaders())
    finally:
        asked.close()


def test_a_proxy_that_was_named_is_ours_with_its_own_path(start: Start) -> None:
    server = start(KKORACLE_UI_PUBLIC_URL=PUBLIC, KKORACLE_UI_PASSWORD="secret")
    login = {"Authorization": "Basic a2tvcmFjbGU6c2VjcmV0"}
    for path in ("/archive/", "/"):  # one that passes its path on, one that takes it away
        for host in ("desk.example.org", server.url.removeprefix("http://")):
            status, page, _ = ask(server, path, Host=host, **login)
            assert status == 200, (path, host)
            found = re.findall(r'(?:href|src|action|hx-get)="(/[^"]*)"', page)
            assert len(found) > 5 and all(one.startswith("/archive/") for one in found)
    assert ask(server, "/archive/static/studio.css", Host="desk.example.org", **login)[0] == 200
    assert ask(server, "/", Host="evil.example", **login)[0] == 421
    assert ask(server, "/", Host="desk.example.org")[0] == 401
    own = {"Origin": "https://desk.example.org", **login}
    assert ask(server, "/commands/rm/start", "POST", Host="desk.example.org", **own)[0] == 404
    assert ask(server, "/commands/rm/start", "POST", Host="127.0.0.1", **own)[0] == 404
    foreign = own | {"Origin": "https://evil.example"}
    assert ask(server, "/commands/rm/start", "POST", Host="desk.example.org", **foreign)[0] == 403


def test_a_request_that_names_no_host_is_nobodys() -> None:
    for public in ("", PUBLIC):
        fence = RequestFence("this", "127.0.0.1", None, public)
        assert fence.refusal("", None, "")
        assert not fence.refusal("127.0.0.1:1", None, "")
        assert fence.refusal("127.0.0.1:1", "null", "")


def test_a_proxy_wants_a_password(desk: Desk) -> None:
    refused = run_cli("ui", cwd=desk.folder, KKORACLE_UI_PUBLIC_URL=PUBLIC)
    assert refused.returncode == 2 and "KKORACLE_UI_PASSWORD" in refused.stderr
