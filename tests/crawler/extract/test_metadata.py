"""Title, date, author and section: each kind of page that says them in its own way."""

from __future__ import annotations

import json

import pytest

from crawler.extract.html import parse
from crawler.extract.metadata import PageMetadata, guess, page_language, read_metadata
from tests.crawler.extract.test_extract import read
from tests.crawler.harness import PROFILE

URL = "https://www.valley-post.example/2004/05/03/sacks.html"
H1 = "<h1>More sacks at the mill</h1>"


def told(head: str = "", body: str = H1, language: str = "en") -> PageMetadata:
    return read_metadata(
        parse(f"<html><head>{head}</head><body>{body}</body></html>"), URL, language
    )


def linked(*nodes: object) -> str:
    return "".join(
        f'<script type="application/ld+json">{json.dumps(node)}</script>' for node in nodes
    )


ARTICLE = {
    "@context": "https://schema.org",
    "@type": "NewsArticle",
    "headline": "More sacks at the mill",
    "datePublished": "2004-05-03T23:30:00+02:00",
    "dateModified": "2005-01-01",
    "author": {"@type": "Person", "name": "Ada Mills"},
    "articleSection": ["Economy", "Home"],
    "publisher": {"@type": "Organization", "name": "The Valley Post"},
}


@pytest.mark.parametrize(
    "node",
    [
        ARTICLE,
        [ARTICLE],
        {"@graph": [{"@type": "WebSite", "name": "The Valley Post"}, ARTICLE]},
        {"@type": "WebPage", "mainEntity": ARTICLE},
        ARTICLE | {"@type": ["Article", "NewsArticle"], "datePublished": ["2004-05-03"]},
        ARTICLE | {"datePublished": "Mon, 03 May 2004 10:00:00 GMT"},
        ARTICLE | {"datePublished": "May 3, 2004 at 10:00 am"},
        ARTICLE | {"author": ["Ada Mills"]},
        ARTICLE | {"author": [{"name": ["Ada Mills"]}, {"name": "https://facebook.example/ada"}]},
        ARTICLE | {"author": {"@id": "#ada"}, "image": []},
        ARTICLE | {"headline": "More sacks at the mill | The Valley Post"},
        ARTICLE | {"headline": "More &quot;sacks&quot; at the mill", "description": "<p>x</p>"},
    ],
)
def test_linked_data_is_read_however_it_is_nested(node: object) -> None:
    found = told(linked(node, {"@type": "Person", "@id": "#ada", "name": "Ada Mills"}))
    assert found.title.replace('"', "") == "More sacks at the mill"
    assert (found.date, found.author, found.section) == ("2004-05-03", "Ada Mills", "Economy")


def test_of_several_articles_the_pages_own_is_read() -> None:
    other = {
        "@type": "NewsArticle",
        "headline": "Rain",
        "author": "Bo Hill",
        "url": "https://x/rain",
    }
    found = told(linked(other | {"datePublished": "2001-01-01"}, ARTICLE | {"url": URL + "?a=1"}))
    assert (found.title, found.date, found.author) == (
        "More sacks at the mill",
        "2004-05-03",
        "Ada Mills",
    )


@pytest.mark.parametrize(
    "script",
    [
        '<![CDATA[ {"@type":"Article","datePublished":"2004-05-03","author":"Ada Mills"} ]]>',
        '{"@type":"Article","datePublished":"2004-05-03","author":"Ada Mills",}',
        '{"@type":"Article","description":"two\nlines","datePublished":"2004-05-03",'
        '"author":{"name":"Ada Mills"}}',
        '{"@type":"Article","headline":"a "quoted" word","datePublished":"2004-05-03",'
        '"author":{"@type":"Person","name":"Ada Mills"}}',
        '{"@type":"Article","datePublished":"2004-05-03","author":"Ada Mills"};',
    ],
)
def test_broken_linked_data_still_tells_date_and_author(script: str) -> None:
    found = told(f'<script type="application/ld+json">{script}</script>')
    assert (found.date, found.author) == ("2004-05-03", "Ada Mills")


def test_of_several_dates_the_first_that_can_be_read_is_taken() -> None:
    head = linked(ARTICLE | {"datePublished": "soon"}) + (
        '<meta name="pubdate" content="20040503T101500Z"><meta name="date" content="2003-01-01">'
    )
    assert told(head).date == "2004-05-03"


@pytest.mark.parametrize(
    ("language", "head", "body"),
    [
        ("en", '<meta property="article:published_time" content="2004-05-03T10:00">', ""),
        ("en", '<meta name="parsely-pub-date" content="2004-05-03T10:00:00Z">', ""),
        ("en", '<meta itemprop="datePublished" content="2004-05-03">', ""),
        ("en", '<meta name="DC.date.issued" content="1083579300000">', ""),
        (
            "en",
            '<meta name="article:modified_time" content="2009-09-09">',
            "<time>May 3, 2004</time>",
        ),
        ("en", "", '<time datetime="2004-05-03">last spring</time>'),
        ("en", "", '<span class="post-date">Posted on 5/3/04</span>'),
        ("fr", "", '<p class="publication">Publié le 3 mai 2004 à 10h15</p>'),
        ("de", "", "<div>Montag, 3. Mai 2004</div>"),
        ("ja", "", "<div>2004年5月3日 10時15分</div>"),
        ("el", "", "<font>Δευτέρα 3 του Μάη 2004</font>"),
        ("el", "", "<a>12 Γενάρη 2009</a><font>Δευτέρα 3 Μάη 2004 - ΣΕΛ. 5</font>"),
    ],
)
def test_a_date_is_found_in_tags_and_in_what_is_printed(
    language: str, head: str, body: str
) -> None:
    assert told(head, H1 + body, language).date == "2004-05-03"


def test_the_dates_of_links_to_other_stories_are_not_the_storys() -> None:
    cards = '<a href="/x"><h2>Rain</h2><span class="date">01.02.2003</span></a>'
    assert (
        told("", cards + H1 + "<li>Datum <b>03.05.2004</b></li>" + cards, "de").date == "2004-05-03"
    )


@pytest.mark.parametrize(
    ("tag", "iso"), [("en-GB", "2004-05-03"), ("en-US", "2004-03-05"), ("en", "2004-03-05")]
)
def test_the_pages_own_tag_decides_the_order_of_day_and_month(tag: str, iso: str) -> None:
    page = f'<html lang="{tag}"><body>{H1}<time>03/05/2004</time></body></html>'
    assert read_metadata(parse(page), URL, "en").date == iso
    assert page_language(parse(page), "de") == "de"


@pytest.mark.parametrize("tag", ["el", "gr", "gr-GR", "el_GR"])
def test_what_people_write_for_greek_is_greek(tag: str) -> None:
    page = f'<html lang="{tag}"><body>{H1}<time>03/05/2004</time></body></html>'
    assert read_metadata(parse(page), URL, "el").date == "2004-05-03"


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ('<meta name="author" content="By Ada Mills">', ""),
        (
            '<meta property="article:author" content="https://facebook.example/ada">'
            '<meta name="articleAuthor" content="Ada Mills">',
            "",
        ),
        ('<meta name="sailthru.author" content="Ada Mills">', ""),
        (
            '<meta name="author" content="Valley Post"><meta name="byl" content="By Ada Mills">'
            '<meta property="og:site_name" content="Valley Post">',
            "",
        ),
        ('<meta name="twitter:creator" content="@other">', "<p>By <a href=/ada>Ada Mills</a></p>"),
        ("", "<div class=byline>By Ada Mills</div>"),
        ("", "<a rel=author href=/ada>Ada Mills</a>"),
    ],
)
def test_an_author_is_a_name_and_not_an_address_or_the_newspaper(head: str, body: str) -> None:
    page = f"<html><head>{head}</head><body>{H1}{body}<p>{'Text of it. ' * 40}</p></body></html>"
    root = parse(page)
    assert guess(read_metadata(root, URL, "en"), root, page, URL).author == "Ada Mills"


def test_an_address_may_tell_the_date_and_a_copyright_may_not() -> None:
    page = f"<html><body>{H1}<p>{'Text of it. ' * 40}</p><p>© 2019 Valley Post</p></body></html>"
    root = parse(page)
    told_nothing = read_metadata(root, URL, "en")
    assert guess(told_nothing, root, page, URL).date == "2004-05-03"
    assert guess(told_nothing, root, page, "https://valley.example/sacks").date == ""


def test_where_nobody_is_named_the_newspapers_own_signature_stays() -> None:
    page = (
        f'<meta name="author" content="Valley Post"><meta property="og:site_name" '
        f'content="Valley Post">{H1}<p>Text</p>'
    )
    root = parse(page)
    assert guess(read_metadata(root, URL, "en"), root, page, URL).author == "Valley Post"


def test_several_authors_are_named_once_each() -> None:
    people = [{"name": "Ada Mills"}, {"name": "Bo Hill"}, {"name": "ADA MILLS"}]
    assert told(linked(ARTICLE | {"author": people})).author == "Ada Mills, Bo Hill"


@pytest.mark.parametrize(
    "title",
    [
        "More sacks at the mill | The Valley Post",
        "More sacks at the mill - valley-post.example",
        "The Valley Post: More sacks at the mill",
        "More sacks at the mill — Economy — The Valley Post",
        "More sacks at the mill",
    ],
)
@pytest.mark.parametrize("where", ['<meta property="og:title" content="{}">', "<title>{}</title>"])
def test_the_sites_name_goes_off_titles(title: str, where: str) -> None:
    site = '<meta property="og:site_name" content="The Valley Post">'
    found = told(site + where.format(title), "<h2>Other</h2><h1>More sacks at the mill</h1>")
    assert found.title == "More sacks at the mill"


def test_a_dash_of_the_headline_itself_stays() -> None:
    title = "More sacks – and no buyers"
    assert told(f'<meta property="og:title" content="{title}">', f"<h1>{title}</h1>").title == title


def test_the_printed_headline_counts_before_one_for_search_machines() -> None:
    head = linked(ARTICLE) + '<meta property="og:title" content="You will not believe these sacks">'
    assert told(head).title == "More sacks at the mill"
    assert told(head, "").title == "You will not believe these sacks"


def test_a_profiles_selectors_count_before_the_tags_and_the_tags_fill_what_they_miss() -> None:
    page = (
        f"<html><head>{linked(ARTICLE)}</head><body><h1>Printed</h1>"
        "<div class=text>One two three four five six.</div></body></html>"
    )
    story, _ = read(page, PROFILE).stories[0]
    assert (story.title, story.published) == ("Printed", "2004-05-03")
    assert (story.author, story.section) == ("Ada Mills", "Economy")


def test_hostile_linked_data_ends_in_an_answer() -> None:
    deep = "[" * 5000 + "]" * 5000
    circle = {"@type": "Article", "@id": "#a", "author": {"@id": "#b"}}
    nodes = linked(circle, {"@id": "#b", "@type": "Person", "name": {"@id": "#b"}})
    for head in (
        f'<script type="application/ld+json">{deep}</script>',
        linked({"@type": 5, "author": 7, "datePublished": {}}),
        '<script type="application/ld+json">"\\ud800"</script>',
        nodes,
    ):
        assert told(head).title == "More sacks at the mill"
