"""What a site says against training is found, shown, confirmed once, and asked again on change."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from crawler import profiles
from crawler.extract.html import parse
from crawler.optout import signals
from crawler.optout.confirm import (
    CONSENT_FILE,
    confirm_opt_outs,
    load_consent,
    record_acceptance,
    record_survey,
    require_still_confirmed,
)
from crawler.scope import CrawlScope
from exchange.errors import UsageError, UserError
from tests.conftest import run_cli
from tests.crawler.harness import PROFILE, run_crawl, settings
from tests.crawler.loopback import Answer, Loopback, paper

URL = "http://x.org/story/1"


def robots(text: str, url: str = URL) -> list[str]:
    return [signal.says for signal in signals.from_robots(text, [url])]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("User-agent: GPTBot\nDisallow: /", ["forbids GPTBot"]),
        (
            "User-agent: ccbot\nUser-agent: claudebot\nDisallow: /story",
            ["forbids CCBot, ClaudeBot"],
        ),
        ("User-agent: GPTBot\nDisallow: /private", []),
        ("User-agent: GPTBot\nAllow: /", []),
        ("User-agent: Googlebot\nDisallow: /", []),
        ("User-agent: *\nDisallow: /", []),  # says no to everyone, and the crawl obeys it
        (
            "User-agent: *\nContent-Signal: search=yes, ai-train=no",
            ["Content-Signal: search=yes, ai-train=no"],
        ),
        ("Content-Usage: train-ai=n", ["Content-Usage: train-ai=n"]),
        ("Content-Signal: ai-train=yes", []),
        (
            "# No text and data mining (Directive 2019/790)",
            ["No text and data mining (Directive 2019/790)"],
        ),
        (
            "# Απαγορεύεται η εκπαίδευση για τεχνητή νοημοσύνη",
            ["Απαγορεύεται η εκπαίδευση για τεχνητή νοημοσύνη"],
        ),
        ("# the main page and e-mail of the maintainer", []),
        ("# AI \x1b[31m\x07 red", ["AI red"]),
    ],
)
def test_robots_groups_directives_and_comments_are_read(text: str, said: list[str]) -> None:
    assert robots(text) == said


def test_headers_and_meta_are_read() -> None:
    told = [
        ("X-Robots-Tag", "GPTBot: noai, noimageai"),
        ("X-Robots-Tag", "noindex"),
        ("tdm-reservation", "1"),
        ("TDM-Policy", "https://x.org/p.json"),
    ]
    assert [signal.says for signal in signals.from_headers(told)] == [
        "GPTBot: noai, noimageai",
        "reserves text and data mining, policy https://x.org/p.json",
    ]
    assert signals.from_headers([("tdm-reservation", "0"), ("x-robots-tag", "none")]) == []
    page = parse(
        '<meta name="ROBOTS" content="index, NoAI"><meta name="tdm-reservation" '
        'content="1"><p>noai</p>'
    )
    assert [signal.where for signal in signals.from_page(page)] == [
        "<meta name=robots>",
        "tdm-reservation, <meta>",
    ]
    assert signals.from_page(None) == []


@pytest.mark.parametrize(
    ("body", "reserved"),
    [
        (b'[{"location": "/story/*", "tdm-reservation": 1}]', True),
        (b'[{"location": "/", "tdm-reservation": 1}]', True),
        (b'[{"location": "/*1$", "tdm-reservation": 1, "tdm-policy": "https://x/p"}]', True),
        (
            b'[{"location": "/story", "tdm-reservation": 0},'
            b' {"location": "/", "tdm-reservation": 1}]',
            False,
        ),
        (b'[{"location": "/other", "tdm-reservation": 1}]', False),
        (b'[{"location": "*2$", "tdm-reservation": 1}]', False),
        (b"<html>not found</html>", False),
        (b'{"location": "/"}', False),
        (b'[1, null, {"tdm-reservation": 1}]', False),
        (b"[" * 100_000, False),
    ],
)
def test_tdmrep_rules_match_as_they_say_and_broken_ones_reserve_nothing(
    body: bytes, reserved: bool
) -> None:
    assert bool(signals.from_tdmrep(body, URL)) is reserved


def against(site: Loopback) -> None:
    site.routes["/robots.txt"] = Answer("User-agent: GPTBot\nDisallow: /\n", kind="text/plain")
    site.routes["/.well-known/tdmrep.json"] = Answer(
        '[{"location": "/", "tdm-reservation": 1}]', kind="application/json"
    )


def ask(folder: Path, site: Loopback, *, accept: bool) -> list[str]:
    said: list[str] = []
    wanted = settings(folder, site.url)
    confirm_opt_outs(
        folder / "paper",
        "paper",
        profiles.load(wanted, "paper"),
        wanted,
        accept=accept,
        say=said.append,
    )
    return said


def test_it_is_asked_once_kept_with_its_date_and_asked_again_when_it_changes(
    tmp_path: Path,
) -> None:
    with Loopback(paper("/story/1")) as site:
        against(site)
        with pytest.raises(UsageError, match="--accept-opt-outs"):
            ask(tmp_path, site, accept=False)
        said = "\n".join(ask(tmp_path, site, accept=True))
        assert "robots.txt: forbids GPTBot" in said and "tdmrep.json: reserves" in said
        assert len(site.log) == 3  # within a day nothing is asked twice
        kept = load_consent(tmp_path / "paper")
        assert kept is not None and kept.how == "--accept-opt-outs" and kept.accepted_at[:2] == "20"
        assert ask(tmp_path, site, accept=False) == []

        age(tmp_path)
        site.routes["/"] = Answer("<p>x</p>", headers={"X-Robots-Tag": "noai"})
        with pytest.raises(UsageError):
            ask(tmp_path, site, accept=False)
        said = "\n".join(ask(tmp_path, site, accept=True))
        assert "this is new" in said and "noai" in said and "GPTBot" not in said
        age(tmp_path)
        site.routes["/"] = Answer("<p>x</p>")  # fewer wishes than before need no new word
        assert ask(tmp_path, site, accept=False) == []


def age(folder: Path) -> None:
    """As if the last look were two days ago."""
    path = folder / "paper" / CONSENT_FILE
    told = orjson.loads(path.read_bytes())
    path.write_bytes(orjson.dumps({**told, "looked_at": told["looked_at"] - 2 * 86_400}))


def test_a_known_site_that_is_away_stops_nothing(tmp_path: Path) -> None:
    with Loopback(paper("/story/1")) as site:
        ask(tmp_path, site, accept=False)
    age(tmp_path)
    (said,) = ask(tmp_path, site, accept=False)
    assert "could not look again" in said and "cannot reach" in said
    (tmp_path / "paper" / CONSENT_FILE).unlink()
    with pytest.raises(UserError, match="cannot reach"):
        ask(tmp_path, site, accept=False)


def test_a_site_that_says_nothing_is_asked_for_nothing_more(tmp_path: Path) -> None:
    with Loopback(paper("/story/1")) as site:
        (said,) = ask(tmp_path, site, accept=False)
        assert "no word against training" in said
        assert asyncio.run(run_crawl(tmp_path, settings(tmp_path, site.url))) == 0
        assert site.visits()["/robots.txt"] == 1  # read for the report, good for the crawl


def test_a_crawl_that_follows_stops_when_robots_says_something_new(tmp_path: Path) -> None:
    site = CrawlScope(profiles.parse(PROFILE, "t"))
    require_still_confirmed(
        tmp_path, site, "User-agent: GPTBot\nDisallow: /"
    )  # nobody has looked yet
    record_acceptance(tmp_path, record_survey(tmp_path, ()), "asked")
    require_still_confirmed(tmp_path, site, "User-agent: GPTBot\nDisallow: /private")
    with pytest.raises(UsageError, match="forbids GPTBot"):
        require_still_confirmed(tmp_path, site, "User-agent: GPTBot\nDisallow: /")


def test_a_broken_note_is_as_none(tmp_path: Path) -> None:
    (tmp_path / CONSENT_FILE).write_text('{"looked_at": "soon"}')
    assert load_consent(tmp_path) is None


def config(folder: Path, url: str) -> None:
    (folder / "profile.toml").write_text(PROFILE, "utf-8")
    (folder / "kkoracle.toml").write_text(
        'archive = "paper"\n[crawl]\ncontact = "t@example.org"\ndelay = 0.0\nmin_free_mb = 0\n'
        f'profile = "profile.toml"\nbase_url = "{url}"\n',
        "utf-8",
    )


def test_the_command_shows_and_asks_before_the_first_page(
    tmp_path: Path,
) -> None:
    with Loopback(paper("/story/1")) as site:
        against(site)
        config(tmp_path, site.url)
        said = run_cli("crawl", cwd=tmp_path)
        assert said.returncode == 2
        assert "robots.txt: forbids GPTBot" in said.stdout
        assert said.stderr.count("\n") == 1 and "--accept-opt-outs" in said.stderr
        assert "/story/1" not in site.visits()
