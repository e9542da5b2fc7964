from __future__ import annotations

from pathlib import Path

import pytest

from crawler import profiles
from crawler.settings import CrawlSettings, user_agent
from exchange.errors import UsageError
from tests.crawler.harness import PROFILE


def test_every_built_in_profile_is_sound() -> None:
    assert {"demo", "generic", "rizospastis"} <= set(profiles.builtin())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "Δοκιμή"', "nam = 1", "'nam'; did you mean 'name'?"),
        ('role = "story"', 'rol = "story"', "kinds.story.rol'; did you mean 'role'?"),
        ('role = "story"', 'role = "stories"', "kinds.story.role: Input should be 'index'"),
        ("path = '/story/(?P<id>\\d+)'", "path = '(a'", "'(a' is no regular expression"),
        (
            "text = '//div[@class=\"text\"]'",
            "text = '//div['",
            "shapes.0.text: '//div[' is no XPath",
        ),
        ("title = '//h1'", "titel = '//h1'", "did you mean 'title'?"),
        ("title = '//h1'", "kinds = ['artikel']", "unknown kind 'artikel'"),
        ('base = "http://127.0.0.1:1"', 'base = "127.0.0.1"', "must be an http or https address"),
        ('role = "index"', "role = 'index'\nwords = 'λέξεις'", "needs a group"),
        ('role = "index"', "role = 'index'\nurl = '/list?id={id'", "'/list?id={id' is no template"),
        ('role = "index"', "role = 'index'\nurl = '/{id.x}'", "not for 'id.x'"),
        ('start = ["/"]', 'ranges = [{ url = "/{day}", since = 1996-01-01 }]', "{d} {dd} {m}"),
        ('start = ["/"]', 'start = ["/"]\nchunk = { header = "{titel}" }', "{title} {section}"),
        ('start = ["/"]', "", "nothing to begin with"),
        ('start = ["/"]', 'start = ["/"', "not valid TOML"),
    ],
)
def test_a_faulty_profile_is_told_in_one_line(old: str, new: str, said: str) -> None:
    assert old in PROFILE
    with pytest.raises(UsageError) as caught:
        profiles.parse(PROFILE.replace(old, new), "mine.toml")
    message = str(caught.value)
    assert said in message
    assert "mine.toml" in message
    assert "\n" not in message


def test_an_unknown_profile_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'rizospastis'"):
        profiles.load(CrawlSettings(), "rizospatis")


def test_a_profile_file_of_the_users_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(PROFILE, "utf-8")
    found = profiles.load(CrawlSettings(profile=str(path), base_url="http://example.org"), "paper")
    assert (found.name, found.base) == ("Δοκιμή", "http://example.org")


def test_a_wrong_base_url_is_told() -> None:
    with pytest.raises(UsageError, match="http or https"):
        profiles.load(CrawlSettings(base_url="example.org"), "demo")


def test_the_extraction_version_follows_the_shapes_and_not_the_address() -> None:
    one = profiles.parse(PROFILE, "a")
    moved = profiles.parse(PROFILE.replace("127.0.0.1:1", "localhost:2"), "b")
    changed = profiles.parse(PROFILE.replace("//h1", "//h2"), "c")
    assert one.extraction == moved.extraction != changed.extraction


@pytest.mark.parametrize("contact", ["", "me", "a b@c.d", "γ@d.e", "a@b.c\r\nX: y"])
def test_nobody_crawls_without_a_contact(contact: str) -> None:
    with pytest.raises(UsageError):
        user_agent(CrawlSettings(contact=contact))


def test_the_contact_stands_in_the_user_agent() -> None:
    assert user_agent(CrawlSettings(contact="a@b.gr")) == "kkoracle/0.1 (+a@b.gr)"
