from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import orjson
import pytest

from bench import pages
from bench.registry import BenchSettings
from exchange.errors import UsageError

SENTENCES = [
    f"On day {n} the miller of the valley counted {n * 7} sacks, more than in the year before."
    for n in range(1, 9)
]
LEAD = "The miller counted his sacks for eight days and found more of them each morning."


def page(title: str, text: str) -> str:
    return (
        f'<html lang="en"><head><title>{title} | The Valley</title>'
        f'<meta property="og:title" content="{title} | The Valley">'
        f'<meta property="og:site_name" content="The Valley">'
        f'<meta name="description" content="{LEAD}">'
        f'<meta name="author" content="Ada Mills">'
        f'<meta property="article:published_time" content="2004-05-03T10:00:00+02:00"></head>'
        f"<body><nav><a href=/>Home</a></nav><article><h1>{title}</h1><p class=lead>{LEAD}</p>"
        f"{text}</article></body></html>"
    )


def corpus(folder: Path) -> Path:
    body = page("Sacks of the valley", "".join(f"<p>{sentence}</p>" for sentence in SENTENCES))
    (folder / "one.html.gz").write_bytes(gzip.compress(body.encode()))
    truth = {
        "file": "one.html.gz",
        "url": "https://valley.example/2004/sacks",
        "title": "Sacks of the valley",
        "published": "2004-05-03 10:00:00",
        "authors": ["Ada Mills"],
        "paragraphs": [LEAD, *SENTENCES],
    }
    (folder / "truth.jsonl").write_bytes(orjson.dumps(truth) + b"\n")
    return folder


def test_a_page_that_is_read_right_has_all_figures_right(tmp_path: Path) -> None:
    args = argparse.Namespace(corpus=corpus(tmp_path), misses=False)
    figures = pages.run(args, BenchSettings(quick=True, log=lambda _: None))
    wanted = {"recall": 1.0, "extra": 0.0, "no_text": 0, "date_wrong": 0.0}
    wanted |= {"date_right": 1.0, "date_none": 0.0, "author_right": 1.0, "title_right": 1.0}
    assert {name: figures[name] for name in wanted} == wanted
    assert figures["languages"]["en"]["pages"] == 1
    assert figures["cpu_ratio"] > 0


def test_what_is_missing_or_too_much_is_counted() -> None:
    real = pages.RealPage("u", b"", "en", "A title", "2004-05-03", ("Ada Mills",), (*SENTENCES,))
    tally = pages.PageTally()
    tally.add(real, pages.FoundText("\n".join([*SENTENCES[:4], LEAD]), "A title | X", "", "Ada"))
    figures = tally.figures()
    assert figures["recall"] == 0.5
    strange = len(pages.letters(LEAD))
    assert figures["extra"] == pytest.approx(
        strange / (strange + len(pages.letters("".join(SENTENCES[:4])))), abs=1e-3
    )
    assert (figures["title_right"], figures["author_right"]) == (0.0, 0.0)
    assert (figures["date_right"], figures["date_none"]) == (0.0, 1.0)


def test_agreement_by_chance_covers_nothing() -> None:
    truth = [pages.letters(SENTENCES[0])]
    assert pages.strange_letters([pages.letters("the miller")], truth) == 0  # a whole short line
    assert pages.strange_letters([pages.letters("a miller of hats and of shoes")], truth) == 23


@pytest.mark.parametrize("folder", [None, Path("/nowhere")])
def test_without_a_corpus_one_line_says_so(folder: Path | None) -> None:
    args = argparse.Namespace(corpus=folder, misses=False)
    with pytest.raises(UsageError, match="--corpus"):
        pages.run(args, BenchSettings(quick=False, log=lambda _: None))
