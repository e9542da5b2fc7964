from __future__ import annotations

import re

import pytest

from crawler.fetch.page_fetcher import is_block_page


@pytest.mark.parametrize(
    "title",
    [
        "Just a moment...",
        "Attention Required! | Cloudflare",
        "Access Denied",
        "Are you a robot?",
        "Checking your browser before accessing x",
    ],
)
def test_the_titles_of_usual_protections_are_known(title: str) -> None:
    assert is_block_page(f"<html><head><title>{title}</title>".encode(), "", [])


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
