"""Learning a profile: on the demo's shapes without its profile, on made layouts, on odd folders."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from bench.text import modern_layout
from bench.text.layouts import RandomLayout
from crawler import profiles
from crawler.extract.charset import decode
from crawler.extract.html import parse
from crawler.extract.shapes import ShapeMatcher, StoryParts
from crawler.learn import addresses, command, sample
from crawler.learn.labels import label_units
from crawler.learn.propose import ProfileProposal, propose
from crawler.learn.units import ParsedPage
from crawler.profile import Profile
from crawler.scope import CrawlScope
from crawler.settings import CrawlSettings
from exchange.errors import UsageError, UserError
from kkoracle.demo.newspaper import DemoStory, SampleNewspaper, build_newspaper
from tests.conftest import run_cli
from tests.crawler.harness import crawl
from tests.crawler.loopback import Answer, Loopback


@pytest.fixture(scope="module")
def newspaper() -> SampleNewspaper:
    return build_newspaper(7, 120)


def pages_of(site: dict[str, str], urls: list[str]) -> list[ParsedPage]:
    return [ParsedPage(f"http://x{url}", parse(site[url])) for url in urls]


@pytest.fixture(scope="module")
def learned(newspaper: SampleNewspaper) -> ProfileProposal:
    """From the demo's pages as they lie, indexes among them."""
    urls = [
        url
        for url in newspaper.pages
        if url not in newspaper.aliases and url not in newspaper.leave_outs and url != "/robots.txt"
    ]
    return propose(
        [
            ParsedPage(f"http://127.0.0.1:8765{url}", parse(decode(newspaper.pages[url].body)))
            for url in urls[::2]
        ]
    )


def read(newspaper: SampleNewspaper, profile: Profile, story: DemoStory) -> StoryParts | None:
    url = newspaper.addresses[story.id].partition("#")[0]
    found = ShapeMatcher(profile).read(parse(decode(newspaper.pages[url].body)), "")
    return next((parts for parts in found if parts.title == story.title), None)


@pytest.mark.parametrize("shape", ["tables", "storybody", "several", "modern"])
def test_every_shape_of_the_demo_is_learned_without_its_profile(
    newspaper: SampleNewspaper, learned: ProfileProposal, shape: str
) -> None:
    printed = [story for story in newspaper.stories if story.shape == shape]
    for story in printed:
        found = read(newspaper, learned.profile, story)
        assert found is not None, story.title
        assert found.paragraphs == story.paragraphs
        assert (found.date, found.author) == (story.date.isoformat(), story.author)


def test_indexes_and_stories_are_told_apart_by_their_addresses(learned: ProfileProposal) -> None:
    roles = {kind.path: kind.role for kind in learned.profile.kinds.values()}
    assert roles[r"/year\.do"] == roles[r"/issue\.do"] == "index"
    assert roles[r"/story\.do"] in ("story", "both")
    dated = [kind.date for kind in learned.profile.kinds.values() if "issue" in kind.path]
    assert dated == ["publDate"]


def test_what_was_learned_survives_being_written_and_read(learned: ProfileProposal) -> None:
    text = command.profile_to_toml(learned.profile, "two\nlines")
    assert text.startswith("# two\n# lines\n")
    assert profiles.parse(text, "made") == learned.profile
    assert tomllib.loads(text)["name"] == "Φωνή της Πετρολίμνης"


@pytest.mark.parametrize("seed", (3, 5, 10))
def test_layouts_without_telling_names_are_learned(newspaper: SampleNewspaper, seed: int) -> None:
    stories = list(newspaper.stories)
    layout = RandomLayout(seed)
    site = layout.site(stories)
    profile = propose(pages_of(site, [layout.url(s) for s in stories[::3]])).profile
    shapes = ShapeMatcher(profile)
    for story in stories[1::3]:
        (found,) = shapes.read(parse(site[layout.url(story)]), "")
        assert (found.title, found.paragraphs) == (story.title, story.paragraphs)


def test_leads_subheadings_and_quotations_stay_and_comments_do_not(
    newspaper: SampleNewspaper,
) -> None:
    stories = list(newspaper.stories)
    site = modern_layout.site(stories)
    shapes = ShapeMatcher(
        propose(pages_of(site, [modern_layout.url(s) for s in stories[::2]])).profile
    )
    for story in stories[1::2]:
        (found,) = shapes.read(parse(site[modern_layout.url(story)]), "")
        assert (found.title, found.paragraphs) == (story.title, modern_layout.paragraphs(story))


def test_what_repeats_is_furniture_even_if_it_reads_like_text() -> None:
    pages = [
        ParsedPage(
            f"http://x/{n}",
            parse(
                f"<div class=a><p>Αυτή είναι η {n}η ιστορία, που αλλιώς δεν τη γράφει κανείς.</p>"
                "<p>Στηρίξτε την εφημερίδα μας και γίνετε κι εσείς συνδρομητές της.</p></div>"
            ),
        )
        for n in range(9)
    ]
    label_units(pages)
    assert [unit.reject_reason for unit in pages[4].units] == ["", "repeats"]


@pytest.mark.parametrize(
    ("tag", "language"), [("en-GB", "en-GB"), ("gr", "el"), ("", ""), ("1", "")]
)
def test_a_page_to_learn_from_names_its_language_as_an_extraction_reads_it(
    tag: str, language: str
) -> None:
    page = ParsedPage("http://x/1", parse(f'<html lang="{tag}"><p>Rain.</p></html>'))
    assert page.language == language


@pytest.fixture
def made(newspaper: SampleNewspaper) -> Iterator[tuple[Loopback, RandomLayout, list[DemoStory]]]:
    stories = list(newspaper.stories)
    layout = RandomLayout(5)
    pages = layout.site(stories)
    pages["/"] = pages["/"].replace("</body>", "<a href='http://[1'>no address</a></body>")
    routes: dict[str, Answer] = {url: Answer(page) for url, page in pages.items()}
    routes["/robots.txt"] = Answer("User-agent: *\nDisallow: /m1.html", kind="text/plain")
    with Loopback(routes) as site:  # type: ignore[arg-type]
        yield site, layout, stories


def test_the_command_learns_from_a_site_and_the_crawl_takes_its_file(
    made: tuple[Loopback, RandomLayout, list[DemoStory]], tmp_path: Path
) -> None:
    site, _layout, stories = made
    arguments = (
        "archive",
        "learn",
        f"{site.url}/",
        "--out",
        "mine.toml",
        "--pages",
        "40",
        "--contact",
        "t@example.org",
        "--delay",
        "0",
    )
    said = run_cli(*arguments, cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    assert "before" in said.stdout and "after" in said.stdout and "wrote mine.toml" in said.stdout
    assert len(site.log) <= 48  # robots.txt, the pages, and what was no page
    assert "/m1.html" not in site.visits() and max(site.visits().values()) == 1
    assert all("kkoracle" in sent["User-Agent"] for _, _, sent in site.log)
    asked = len(site.log)
    again = run_cli(*arguments, "--force", cwd=tmp_path)
    assert again.returncode == 0 and len(site.log) == asked  # the pages were kept
    crawl(tmp_path / "run", site.url, (tmp_path / "mine.toml").read_text("utf-8"))
    from tests.crawler.harness import stories as stored

    found = {(s.title, s.published, s.text) for s in stored(tmp_path / "run")}
    wanted = {(s.title, s.date.isoformat(), "\n\n".join(s.paragraphs)) for s in stories}
    assert len(found & wanted) >= 0.98 * len(wanted)


def test_a_crawl_by_the_generic_profile_can_be_learned_from_without_a_request(
    made: tuple[Loopback, RandomLayout, list[DemoStory]], tmp_path: Path
) -> None:
    site, _, _ = made
    generic = profiles.builtin()["generic"]
    crawl(tmp_path, site.url, command.profile_to_toml(generic, "any"))
    asked = len(site.log)
    lines = list(
        command.learn(str(tmp_path / "paper"), tmp_path / "x.toml", tmp_path, 60, CrawlSettings())
    )
    assert len(site.log) == asked
    assert profiles.parse((tmp_path / "x.toml").read_text("utf-8"), "x").base == site.url
    assert lines[-1].startswith("next: ")


def test_turns_are_kept_while_learning(
    made: tuple[Loopback, RandomLayout, list[DemoStory]], tmp_path: Path
) -> None:
    site, _, _ = made
    wanted = CrawlSettings(contact="t@example.org", delay=0.1)
    list(command.learn(f"{site.url}/", tmp_path / "x.toml", tmp_path, 24, wanted))
    times = sorted(site.times())
    assert len(times) >= 24
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.05


def test_saved_pages_without_addresses_are_enough_for_selectors(
    newspaper: SampleNewspaper, tmp_path: Path
) -> None:
    stories = [story for story in newspaper.stories if story.shape == "modern"]
    for story in stories:
        page = newspaper.pages[newspaper.addresses[story.id]]
        (tmp_path / f"{story.id}.html").write_bytes(page.body)
    out = tmp_path / "x.toml"
    list(command.learn(str(tmp_path), out, tmp_path, 60, CrawlSettings()))
    profile = profiles.parse(out.read_text("utf-8"), "x")
    assert {kind.path for kind in profile.kinds.values()} == {".*"}
    for story in stories:
        found = read(newspaper, profile, story)
        assert found is not None and found.paragraphs == story.paragraphs


@pytest.mark.parametrize(
    ("source", "count", "error", "said"),
    [
        ("http://", 60, UsageError, "no web address"),
        ("no-such-folder", 60, UserError, "neither a web address nor a folder"),
        (".", 60, UserError, "no pages in"),
        (".", 3, UsageError, "between 10 and 500"),
    ],
)
def test_what_cannot_be_learned_from_is_told_in_one_line(
    source: str,
    count: int,
    error: type[UserError],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=said) as caught:
        list(command.learn(source, tmp_path / "x.toml", tmp_path, count, CrawlSettings()))
    assert "\n" not in str(caught.value)


def test_pages_that_are_all_different_or_hostile_make_no_profile(tmp_path: Path) -> None:
    odd = [
        b"",
        b"<",
        b"\x00" * 50,
        b"<p>" * 3000,
        b"<html><body><p>one two</p></body></html>",
        "<div>α</div>".encode("cp1253"),
        b"<script>x</script>",
        b"<table><tr><td>" * 400,
    ]
    for number, content in enumerate(odd * 2):
        (tmp_path / f"{number}.html").write_bytes(content)
    with pytest.raises(UserError, match="no layout found"):
        list(command.learn(str(tmp_path), tmp_path / "x.toml", tmp_path, 60, CrawlSettings()))


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    out = tmp_path / "x.toml"
    out.write_text("mine", "utf-8")
    with pytest.raises(UsageError, match="--force"):
        list(command.learn(str(tmp_path), out, tmp_path, 60, CrawlSettings()))
    assert out.read_text("utf-8") == "mine"


@pytest.mark.parametrize(
    ("urls", "path", "date"),
    [
        (
            ["/nea/2008/07/07/12-a.html", "/nea/2009/1/3/13-b.html"],
            r"/nea/(?P<date>\d{4}[/-]\d{1,2}[/-]\d{1,2})/[^/]+\.html",
            "date",
        ),
        (["/page.do?publDate=3/4/2008", "/page.do?publDate=4/4/2008"], r"/page\.do", "publDate"),
        (["/a/1", "/b/2", "/c/3", "/d/4"], r"/[^/]+/\d+", ""),
        (["/a/2008-07-07-titlos", "/a/2008-07-08-allos"], r"/a/[^/]+", ""),
    ],
)
def test_addresses_become_patterns(urls: list[str], path: str, date: str) -> None:
    found = addresses.families([f"http://x{url}" for url in urls])
    assert {(one.path, one.date) for one in found.values()} == {(path, date)}


def test_the_sample_prefers_stories_and_takes_every_family(
    made: tuple[Loopback, RandomLayout, list[DemoStory]], tmp_path: Path
) -> None:
    site, layout, stories = made
    wanted = CrawlSettings(contact="t@example.org", delay=0)
    list(command.learn(f"{site.url}/", tmp_path / "x.toml", tmp_path, 30, wanted))
    asked = set(site.visits())
    assert len(asked & {layout.url(story) for story in stories}) >= 18
    assert len(sample.from_folder(next(p for p in tmp_path.iterdir() if p.is_dir()), 99)) == 30


def test_a_page_that_lists_stories_in_a_few_words_is_an_index(newspaper: SampleNewspaper) -> None:
    stories = [story for story in newspaper.stories if len(story.paragraphs) > 2][:40]
    texts = {
        f"http://x/story/{n}": f"<h1>{s.title}</h1><div class=text>"
        + "".join(f"<p>{p}</p>" for p in s.paragraphs)
        for n, s in enumerate(stories)
    }
    for month in range(8):
        rows = "".join(
            f"<div class=row><h3><a href=/story/{n}>{stories[n].title}</a></h3>"
            f"<div class=lead>{' '.join(stories[n].paragraphs[0].split()[:24])} και άλλα.</div>"
            "</div>"
            for n in range(5 * month, 5 * month + 5)
        )
        texts[f"http://x/month/{month}"] = f"<h2>Μήνας {month}</h2><section>{rows}</section>"
    pages = [ParsedPage(url, parse(f"<body>{text}</body>")) for url, text in texts.items()]
    proposal = propose(pages)
    roles = {kind.path: kind.role for kind in proposal.profile.kinds.values()}
    assert roles == {r"/month/\d+": "index", r"/story/\d+": "story"}
    assert len(proposal.profile.shapes) == 1


def test_a_date_in_the_path_is_the_issues_date() -> None:
    """`/2008/07/07/` in addresses becomes a named group, whose value the crawl reads as a date."""
    pages = [
        ParsedPage(
            f"http://x/2008/07/{n:02}/{n}-titlos",
            parse(
                f"<h1>Τίτλος {n}</h1><div class=a><p>Αυτή είναι η {n}η ιστορία, που αλλιώς δεν τη "
                f"γράφει κανείς.</p><p>Κι εδώ η {n + 40}η παράγραφος, με άλλα λόγια και άλλα {n} "
                f"γεγονότα μέσα, όπως τα έγραψε η εφημερίδα εκείνη τη μέρα.</p></div>"
            ),
        )
        for n in range(1, 13)
    ]
    site = CrawlScope(propose(pages).profile)
    link = site.classify("/2008/07/05/5-titlos")
    assert link is not None and link.issue == "2008-07-05"
