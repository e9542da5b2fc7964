"""Who may ask the studio: this machine's own pages, and a proxy's that was named."""

from __future__ import annotations

import http.client
import re

from exchange.net import RequestFence
from tests.conftest import ROOT, run_cli
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


def test_other_sites_and_other_names_are_refused(server: Server) -> None:
    assert ask(server, "/")[0] == 200
    assert ask(server, "/", Host="evil.example")[0] == 421
    assert ask(server, "/", Origin="http://evil.example")[0] == 403
    assert ask(server, "/", Origin="null")[0] == 403
    assert ask(server, "/", Origin=server.url)[0] == 200
    own = {"Origin": server.url, "Content-Type": "application/x-www-form-urlencoded"}
    assert ask(server, "/ask/unload", "POST", **own)[0] == 303
    assert ask(server, "/ask/unload", "POST", **own | {"Origin": "http://evil.example"})[0] == 403


def test_no_page_may_run_what_is_not_a_file_of_ours_or_hold_styles(server: Server) -> None:
    for path in ("/", "/runs", "/runs/default", "/ask", "/score", "/reports", "/no-such-page"):
        _, page, headers = ask(server, path)
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|hx-on|<script(?! src=)", page), path


def test_beyond_loopback_it_wants_a_password(start: Start, desk: Desk) -> None:
    refused = run_cli("ui", "--host", "0.0.0.0", cwd=desk.folder)
    assert refused.returncode == 2 and "KKORACLE_UI_PASSWORD" in refused.stderr
    server = start("--host", "0.0.0.0", KKORACLE_UI_PASSWORD="secret")
    assert ask(server, "/")[0] == 401
    assert ask(server, "/", Authorization="Basic a2tvcmFjbGU6d3Jvbmc=")[0] == 401
    assert ask(server, "/", Authorization="Basic a2tvcmFjbGU6c2VjcmV0")[0] == 200
    server.process.terminate()
    assert server.process.wait(60) == 0


def test_a_port_in_use_is_one_line(server: Server, desk: Desk) -> None:
    said = run_cli("ui", "--port", server.url.rpartition(":")[2], cwd=desk.folder)
    assert said.returncode == 1 and "--port" in said.stderr and "Traceback" not in said.stderr


def test_without_the_extra_one_line_says_what_to_install(desk: Desk) -> None:
    hidden = desk.folder / "hidden"
    (hidden / "starlette").mkdir(parents=True)
    (hidden / "starlette" / "__init__.py").write_text("raise ImportError('no starlette')")
    said = run_cli("ui", "--port", "0", cwd=desk.folder, PYTHONPATH=f"{hidden}:{ROOT}")
    assert said.returncode == 1 and "[ui]'" in said.stderr
    assert len(said.stderr.strip().splitlines()) == 1


def test_a_form_beyond_its_size_is_refused_before_it_is_read(server: Server) -> None:
    for length in (str(1 << 40), "none", "-1"):
        status, page, _ = ask(server, "/commands/crawl/start", "POST", **{"Content-Length": length})
        assert status == 400, (length, page)
