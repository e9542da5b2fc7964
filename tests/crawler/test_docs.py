"""What the page on profiles shows must work as it stands."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

from crawler import profiles
from crawler.scope import CrawlScope

PAGE = Path(__file__).parents[2] / "docs" / "archives.md"


def test_the_example_profile_is_sound_and_does_what_is_said_of_it() -> None:
    whole, _parts, routes = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    profile = profiles.parse(whole, "the example")
    site = CrawlScope(profile)
    keys = {
        site.classify(url).key
        for url in ("/story/7", "/article/007", "//www.paper.example/story/7")
    }  # type: ignore[union-attr]
    assert keys == {"story:7"}
    assert site.classify("/print/7") is None
    assert next(site.dated(dt.date(1996, 2, 1))).url == "/issue?date=2/1/1996"
    assert [shape.name for shape in profile.shapes] == ["since 2010", "tables"]
    told = whole.replace("[kinds.issue]", "[kinds.page]") + routes
    assert set(profiles.parse(told, "with routes").routes) == {"page", "story"}
