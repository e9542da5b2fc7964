"""A loss in bulk is never a success: its cause and its cure in one line, and exit code 1."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.optout.confirm import load_consent
from crawler.profiles import load
from crawler.scope import CrawlScope
from crawler.status.losses import find_losses
from exchange.store.spool import Spool
from tests.conftest import run_cli
from tests.crawler.harness import PROFILE, crawl, settings
from tests.crawler.loopback import Answer, Loopback, Route, index, paper

ENGLISH = "The boats left the port at dawn and the mayor of the town was on the quay, number {n}."
NO = Answer("User-agent: *\nDisallow: /", kind="text/plain")


def losses(folder: Path, url: str, profile: str = PROFILE) -> dict[str, str]:
    wanted = settings(folder, url, profile)
    found = find_losses(folder / "paper", "paper", lambda: CrawlScope(load(wanted, "paper")))
    return {loss.code: loss.says for loss in found}


def english(count: int) -> dict[str, Route]:
    pages = paper(*(f"/story/{n}" for n in range(count)))
    for n in range(count):
        text = "".join(f"<p>{ENGLISH.format(n=n * 10 + k)}</p>" for k in range(3))
        pages[f"/story/{n}"] = Answer(f"<h1>{n}</h1><div class='text'>{text}</div>")
    return pages


def test_a_crawl_that_went_well_has_no_loss(tmp_path: Path) -> None:
    with Loopback(paper("/story/1", "/story/2")) as site:
        crawl(tmp_path, site.url)
        assert losses(tmp_path, site.url) == {}


def test_stories_held_back_in_bulk_are_said_with_what_to_change(tmp_path: Path) -> None:
    with Loopback(english(12)) as site:
        crawl(tmp_path, site.url)  # the profile says that it is Greek
        said = losses(tmp_path, site.url)["stories-held"]
        assert "12 of 12 stories" in said and "other-language" in said and "`language`" in said
        crawl(tmp_path, site.url, PROFILE.replace('"el"', '"en"'))
        assert losses(tmp_path, site.url) == {}


@pytest.mark.parametrize(
    ("routes", "says"),
    [
        ({"/robots.txt": NO, **paper("/story/1")}, "robots.txt of .* forbids every address"),
        (
            {"/": Answer(status=301, headers={"Location": "http://www.other.example/"})},
            "leads to another host, most likely http://www.127.0.0.1",
        ),
        (
            {"/": index("/piece?nr=1", "/piece?nr=2")},
            r"2 links have the `path` of the kind 'piece' and none its `key` 'id', such as /piece",
        ),
        ({"/": index("/other/1")}, "no link of the pages that came leads to a story"),
        (
            {"/": index("/story/1"), "/story/1": Answer("<div class='text'></div>")},
            r"no page gave a story \(no-text 1 of 1\)",
        ),
    ],
)
def test_a_crawl_that_found_nothing_says_why(
    tmp_path: Path, routes: dict[str, Route], says: str
) -> None:
    keyed = "[kinds.piece]\nrole = 'story'\npath = '/piece'\nkey = ['id']\n\n[kinds.list]"
    profile = PROFILE.replace("[kinds.list]", keyed)
    with Loopback(routes) as site:
        crawl(tmp_path, site.url, profile)
        (found,) = losses(tmp_path, site.url, profile).items()
    import re

    assert found[0] == "nothing-found" and re.search(says, found[1]), found


def test_story_pages_without_a_story_are_a_loss_and_indexes_are_none(tmp_path: Path) -> None:
    pages = paper(*(f"/story/{n}" for n in range(30)))
    for n in range(20):
        pages[f"/story/{n}"] = Answer("<h1>x</h1><div class='other'>y</div>")
    with Loopback(pages) as site:
        crawl(tmp_path, site.url)
        said = losses(tmp_path, site.url)["no-stories"]
    assert "20 of 30 pages gave no story (too-short 20)" in said


def test_pairs_that_are_nearly_all_rejected_are_a_loss(tmp_path: Path) -> None:
    with Loopback(paper("/story/1")) as site:
        crawl(tmp_path, site.url)
        spool = Spool.open(tmp_path / "paper")
        with spool.transaction():
            spool.db.execute("INSERT INTO counters VALUES ('pairs.rejected', 40)")
            spool.db.execute("INSERT INTO counters VALUES ('rejected.no-question-mark', 39)")
        spool.close()
        said = losses(tmp_path, site.url)["pairs-rejected"]
    assert "40 of 40 pairs were rejected (no-question-mark 39)" in said


def test_crawl_and_status_end_with_one_line_and_exit_code_1(tmp_path: Path) -> None:
    with Loopback({"/robots.txt": NO, **paper("/story/1")}) as site:
        (tmp_path / "p.toml").write_text(PROFILE, "utf-8")
        (tmp_path / "kkoracle.toml").write_text(
            'data = "data"\narchive = "paper"\n[crawl]\nprofile = "p.toml"\ndelay = 0.0\n'
            f'contact = "t@example.org"\nmin_free_mb = 0\nbase_url = "{site.url}"\n',
            "utf-8",
        )
        crawled = run_cli("crawl", cwd=tmp_path)
        assert crawled.returncode == 1 and "all done" not in crawled.stdout
        assert crawled.stderr.count("\n") == 1 and "forbids every address" in crawled.stderr
        seen = run_cli("status", cwd=tmp_path)
        assert seen.returncode == 1 and "forbids every address" in " ".join(seen.stdout.split())


def test_what_flags_say_is_what_a_loss_is_told_by(tmp_path: Path) -> None:
    with Loopback({"/robots.txt": NO, **paper("/story/1")}) as site:
        (tmp_path / "p.toml").write_text(PROFILE, "utf-8")
        (tmp_path / "kkoracle.toml").write_text(
            'data = "data"\n[crawl]\ndelay = 0.0\ncontact = "t@example.org"\nmin_free_mb = 0\n',
            "utf-8",
        )
        flags = ("--profile", "p.toml", "--base-url", site.url)
        crawled = run_cli("crawl", "paper", *flags, cwd=tmp_path)
    assert crawled.returncode == 1
    assert f"robots.txt of {site.url} forbids every address" in crawled.stderr


def test_yes_does_not_answer_for_the_operator_what_the_site_says_on_training(
    tmp_path: Path,
) -> None:
    wish = Answer("User-agent: GPTBot\nDisallow: /", kind="text/plain")
    with Loopback({"/robots.txt": wish, **paper("/story/1")}) as site:
        (tmp_path / "p.toml").write_text(PROFILE, "utf-8")
        (tmp_path / "kkoracle.toml").write_text(
            'data = "data"\narchive = "paper"\n[crawl]\nprofile = "p.toml"\ndelay = 0.0\n'
            f'contact = "t@example.org"\nmin_free_mb = 0\nbase_url = "{site.url}"\n',
            "utf-8",
        )
        refused = run_cli("crawl", "--yes", cwd=tmp_path)
        assert refused.returncode == 2 and "--accept-opt-outs" in refused.stderr
        assert "/story/1" not in site.visits()
        kept = load_consent(tmp_path / "data" / "paper")
        assert kept is not None and kept.accepted is None and not kept.who


def test_the_record_says_who_answered_and_how(tmp_path: Path) -> None:
    from crawler.optout.confirm import record_acceptance, record_survey

    kept = record_acceptance(tmp_path, record_survey(tmp_path, ()), "asked, answered 'y'")
    assert "@" in kept.who and load_consent(tmp_path) == kept
