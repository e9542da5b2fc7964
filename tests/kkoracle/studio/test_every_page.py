"""Every page of the studio, as anybody may meet it: on a phone, in the dark, read aloud.

Each is there again after a reload, asks nobody else for anything, runs nothing inline, and says
which page it is.
"""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator

import pytest
from lxml import etree, html

from kkoracle.studio.studio import PAGES
from tests.kkoracle.browser import Browser
from tests.kkoracle.studio.conftest import Server

WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
MOST_REQUESTS, MOST_KB = 6, 400  # of a first visit: page, styles, two scripts, icon, one more


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="module", params=[name for name, _ in PAGES])
def address(request: pytest.FixtureRequest, server: Server) -> str:
    return server.url + ("/" if request.param == "overview" else f"/{request.param}")


@pytest.mark.parametrize(
    ("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")]
)
def test_it_can_be_read_by_everybody(
    browser: Browser, address: str, width: int, scheme: str
) -> None:
    ready = "document.readyState === 'complete'"
    assert browser.faults(address, ready, width=width, scheme=scheme) == ""


def test_it_fits_a_phone_asks_nobody_else_and_weighs_little(
    browser: Browser, address: str, server: Server
) -> None:
    seen = browser.look(
        address, "document.readyState === 'complete'", ("", f"!({WIDE}) && 'fits'"), width=390
    )
    assert seen["owned"] is None
    assert all(one.startswith(server.url) for one in seen["requests"]), seen["requests"]
    assert len(seen["requests"]) <= MOST_REQUESTS, seen["requests"]
    weight = 0
    for one in set(seen["requests"]):
        with urllib.request.urlopen(one, timeout=60) as reply:
            weight += len(reply.read())
    assert weight < MOST_KB * 1000, weight


def test_nothing_in_it_is_inline_and_its_place_is_marked(address: str) -> None:
    with urllib.request.urlopen(address, timeout=60) as reply:
        page, policy = reply.read().decode(), reply.headers["content-security-policy"]
    assert "'unsafe" not in policy and policy.startswith("default-src 'none'")
    for one in html.fromstring(page).iter(etree.Element):
        assert not {"style", "srcdoc"} & set(one.attrib) and one.tag != "style", one.attrib
        assert not any(name.startswith(("on", "hx-on")) for name in one.attrib), one.attrib
        assert one.tag != "script" or (one.get("src") and not one.text)
        assert not one.get("href", "").startswith("javascript")
    assert page.count('aria-current="page"') == 1
    assert len(re.findall("<h1", page)) == 1


def test_the_keys_of_a_page_are_listed_by_a_question_mark(browser: Browser, server: Server) -> None:
    press = "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '?', bubbles: true}))"
    seen = browser.look(
        f"{server.url}/pairs",
        "document.readyState === 'complete' && !!window.htmx",
        (press, "document.getElementById('keys').open"),
        ("", "document.getElementById('key-list').innerText"),
    )
    assert "Reject" in seen["value"]
