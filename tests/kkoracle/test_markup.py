"""What a page, a model or a peer wrote, in each page and card that we write, in a real browser:
no script of it runs, and no element is made of it."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from kkoracle.studio import comparison
from kkoracle.studio.comparison import ComparisonRound
from kkoracle.studio.systems import StudioAnswer, StudioSource
from tests.kkoracle.browser import Browser
from trainer.chat.session import ChatSession, ChatTurn, transcript
from trainer.dataset.archive_stats import ArchiveStatistics, render_page
from trainer.dataset.formats.cards import card as dataset_card
from trainer.dataset.rows import DatasetRow, Manifest, PairProvenance
from trainer.evaluate.rag import Document
from trainer.publish.card import CardResult, CardResults, ModelCard, render_card
from trainer.publish.fuse import FusedModel, FusionLosses

SET = "window.owned='yes'"
EVIL = (
    f'kept "\'`]|}}-->\n---\n</title></style></textarea>\n\n<img src=x onerror="{SET}">\n\n<script>'
    f"{SET}</script>\n\n```\n<svg/onload={SET}>\n```\n~~~\n~~~\n\\[a](javascript:{SET})\n\n"
    f'[b]: javascript:{SET}\n\n[b]\n![c](x "d")\\![e](x)\n<javascript:{SET}>\n  # f\n1. g\n- h\n\n'
    f'<iframe srcdoc="<script>parent.{SET}</script>"></iframe>\n\n    <u>\n&lt;i&gt; '
    f"a](javascript:{SET}) `<u onfocus={SET} autofocus tabindex=0>x</u>"
)
URL = f"javascript:{SET}"
FORBIDDEN = (
    "script, img, svg, iframe, u, i, textarea, object, embed, [onerror], [onload], [onfocus], "
    "[href^='javascript'], [srcdoc]"
)


def filled(value: Any) -> Any:
    """The same with `EVIL` for every text in it, names of fields in mappings too."""
    if isinstance(value, str):
        return EVIL
    if isinstance(value, tuple | list):
        return type(value)(map(filled, value))
    if isinstance(value, dict):
        return {filled(key): filled(one) for key, one in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(
            value,
            **{one.name: filled(getattr(value, one.name)) for one in fields(value) if one.init},
        )
    return value


def model_card() -> str:
    about = ModelCard(
        name="x",
        newspaper="x",
        language="el",
        goal="x",
        system="x",
        base="x",
        base_on_hub=True,
        license="x",
        rights="x",
        fused=FusedModel(*"xxxxx", 0, "x", {"x": FusionLosses(3, 3.0, 1.0, 1.1)}),
        kind="x",
        settings={"rank": 4},
        results=CardResults((CardResult("x", "x", 0.1, 0.9, 3, percent=True),), "x"),
        repository="x",
    )
    return render_card(replace(filled(about), settings={"rank": EVIL, "lr": EVIL}))


def card_of_dataset() -> str:
    counts = {"rows": 1, "stories": 1, "clusters": 1}
    manifest = Manifest(
        archive=EVIL,
        version=1,
        method=EVIL,
        line={"key": EVIL, "cutoff": EVIL},
        system=EVIL,
        input={"accepted": 1, "sha256": EVIL},
        left_out={EVIL: 1},
        mix={},
        splits={"train": counts},
        leak={},
        files={},
    )
    row = DatasetRow("i", EVIL, EVIL, "fact", "", "", made=filled(PairProvenance()))
    return dataset_card({"train": [row]}, manifest)


def chat() -> str:
    sources = tuple(Document("x", EVIL, EVIL, EVIL, url) for url in (URL, f"https://a.b/?{EVIL}"))
    turn = ChatTurn(EVIL, EVIL, "rag", sources)
    return transcript(ChatSession("rag", turns=[turn]), EVIL, EVIL)


TALK = [
    ComparisonRound(
        EVIL,
        "run",
        ("base", "tuned"),
        tuple(
            StudioAnswer(EVIL, EVIL, error=error, sources=(StudioSource(EVIL, URL, EVIL),))
            for error in ("", EVIL)
        ),
        blind=False,
        said="A is best",
        better=EVIL,
    )
]


def statistics() -> str:
    return render_page(
        ArchiveStatistics(
            EVIL,
            1,
            *[{EVIL: 2}] * 6,
            coverage={EVIL: {EVIL: 1}},
            names={EVIL: 1},
            splits={EVIL: 1},
        )
    )


def rendered(markdown: str) -> str:
    """As a reader that allows HTML would show it; its head apart."""
    if markdown.startswith("---\n"):
        markdown = markdown.split("\n---\n", 1)[1]
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    reader.validateLink = lambda url: True  # type: ignore[method-assign]  # others are lenient
    return f"<!doctype html><meta charset=utf-8>{reader.render(markdown)}"


PAGES = {
    "model card": lambda: rendered(model_card()),
    "dataset card": lambda: rendered(card_of_dataset()),
    "chat": lambda: rendered(chat()),
    "comparison": lambda: rendered(comparison.to_markdown(EVIL, TALK)),
    "comparison page": lambda: str(comparison.to_html(EVIL, TALK)),
    "statistics": statistics,
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


def test_the_browser_would_run_what_nobody_escapes(browser: Browser, tmp_path: Path) -> None:
    for name, text in (("html", f"<!doctype html><title>x</title>{EVIL}"), ("md", rendered(EVIL))):
        page = tmp_path / f"{name}.html"
        page.write_text(text, "utf-8")
        assert browser.look(page.as_uri(), "window.owned")["owned"] == "yes"
        seen = browser.look(page.as_uri(), f"document.querySelectorAll({FORBIDDEN!r}).length > 4")
        assert seen["owned"] == "yes"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_markup_as_text(browser: Browser, tmp_path: Path, name: str) -> None:
    page = tmp_path / "page.html"
    page.write_text(PAGES[name](), "utf-8")
    seen = browser.look(
        page.as_uri(),
        "document.readyState === 'complete' && document.body.innerText.includes('onerror')",
        (
            f"window.made = [...document.querySelectorAll({FORBIDDEN!r})].map(one => one.outerHTML)"
            ".join(); document.querySelectorAll('a:not([href^=http])').forEach(one => one.click());"
            "document.documentElement.dataset.made = window.made",
            "true",
        ),
    )
    assert seen["owned"] is None
    assert 'data-made=""' in seen["dom"], seen["dom"]
    assert {
        url for url in seen["requests"] if not url.startswith(("https://a.b/", "file:"))
    } == set()
