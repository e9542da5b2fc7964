from __future__ import annotations

import re
from pathlib import Path

import pytest

from crawler.fetch import hosts
from crawler.fetch.block_pages import is_block_page
from tests.crawler.harness import crawl, stories
from tests.crawler.loopback import Answer, Loopback, Route, paper, story


@pytest.mark.parametrize(
    "title",
    [
        "Just a moment...",
        "Attention Required! | Cloudflare",
        "Access Denied",
        "Are you a robot?",
        "Checking your browser before accessing x",
        "Pardon Our Interruption",
        "Access to this page has been denied.",
        "You've been blocked",
        "ERROR: The request could not be satisfied",
        "Security Check Required - news.example.org",
        "Robot or human?",
        "Radware Bot Manager Captcha",
        "Making sure you&#39;re not a bot!",
        "Sucuri WebSite Firewall - Access Denied",
        "403 Forbidden",
        "Too Many Requests",
        "Einen Moment, bitte …",
        "Zugriff verweigert",
        "Un instant…",
        "Accès refusé",
        "¿Eres un robot?",
        "Acesso negado",
        "Один момент…",
        "Доступ запрещён",
        "请稍候…",
        "しばらくお待ちください...",
        "잠시만 기다리십시오…",
        "لحظة…",
        "Μια στιγμή…",
        "Δεν επιτρέπεται η πρόσβαση",
        "Είστε άνθρωπος;",
    ],
)
def test_the_titles_of_usual_protections_are_known(title: str) -> None:
    assert is_block_page(f"<html><head><title>{title}</title>".encode(), "", [])


TEXT = "<p>" + "Στο λιμάνι δεν έφυγε χθες κανένα πλοίο. " * 40


@pytest.mark.parametrize("title", ["Access denied", "Forbidden | Η Εφημερίδα", "Just a moment"])
def test_a_story_of_such_a_title_has_text(title: str) -> None:
    page = f"<title>{title}</title><script>{'x' * 9000}</script>"
    assert is_block_page(page.encode(), "", [])
    assert not is_block_page((page + TEXT).encode(), "", [])


MARKS = [
    '<iframe src="/_Incapsula_Resource?SWUDNSAI=31&edet=12">Request unsuccessful.</iframe>',
    "<script>window._cf_chl_opt={cvId:'3'}</script>",
    '<script src="https://geo.captcha-delivery.com/c.js"></script><p>Please enable JS</p>',
    '<div id="px-captcha"></div>',
    "<script>window.gokuProps={}</script>",
    '<html><head><script src="/aes.js"></script></head>This site needs JavaScript</html>',
    "<H1>Access Denied</H1>Reference #18 <P>https://errors.edgesuite.net/18.2</P>",
]


@pytest.mark.parametrize("mark", MARKS)
def test_a_challenge_is_known_by_its_script_and_a_story_beside_one_is_none(mark: str) -> None:
    page = f"<html><head><title>news.example.org</title></head><body>{mark}</body></html>"
    assert is_block_page(page.encode(), "", [])
    assert not is_block_page((page + TEXT).encode(), "", [])
    assert not is_block_page((page + TEXT.replace("<p>", "<div>")).encode(), "", [])


def test_block_pages_are_asked_for_again_until_the_story_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a protection shows, it is no story, and the story is not lost."""
    shown = [
        f"<title>{title}</title>" for title in ("Un instant…", "请稍候…", "Robot Check")
    ] + MARKS

    def guarded(n: int) -> Route:
        return lambda request, nth: Answer(shown[n]) if nth == 1 else story(n)

    links = [f"/story/{n}" for n in range(len(shown))]
    monkeypatch.setattr(hosts, "FIRST_PAUSE_S", 0.05)
    with Loopback(paper(*links) | {link: guarded(n) for n, link in enumerate(links)}) as site:
        counters = crawl(tmp_path, site.url)
    assert counters["retry.blocked"] == len(shown)
    assert {found.title for found in stories(tmp_path)} == {
        f"Τίτλος {n}" for n in range(len(shown))
    }


def test_a_title_in_capitals_is_one() -> None:
    assert is_block_page(b"<HTML><HEAD><TITLE>Access Denied</TITLE>", "", [])


@pytest.mark.parametrize(
    "title",
    [
        "Access denied to the port: dockers on strike",
        "Just a moment that made history",
        "Τους ζητούν να αποδείξουν ότι είναι άνθρωποι",
    ],
)
def test_a_story_about_such_things_is_a_story(title: str) -> None:
    assert not is_block_page(f"<title>{title}</title><p>Access Denied</p>".encode(), "", [])


def test_the_profiles_own_marks_count() -> None:
    marks = [re.compile("είστε άνθρωπος")]
    assert is_block_page(b"", "Αποδείξτε ότι είστε άνθρωπος", marks)
    assert not is_block_page(b"", "Είναι άνθρωπος του λιμανιού", marks)
