"""The fuzzer's short form, and what its long form (`make fuzz`) has found, with what is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crawler import profiles
from crawler.discovery.sitemaps import sitemaps_in_robots
from crawler.extract.charset import decode
from crawler.fetch.robots import RobotsRules
from crawler.visible_text import visible_text
from exchange.errors import UsageError
from exchange.settings import Config
from exchange.text.dates import parse_date
from exchange.text.tokens import TokenizedText
from tests.fuzz import TARGETS, Target, TooSlow, cpu_limit, fuzz
from workers import parse

EXAMPLES = 30  # of each target; the long form tries thousands


@pytest.mark.parametrize("target", TARGETS, ids=[target.name for target in TARGETS])
def test_foreign_bytes_raise_nothing_and_take_no_longer_than_their_size_allows(
    target: Target,
) -> None:
    for sample in target.samples:
        target.run(sample.encode())
    tried, failure = fuzz(target, EXAMPLES)
    assert tried and failure is None, str(failure)


def test_the_fuzzer_finds_what_it_is_to_find() -> None:
    def fails(body: bytes) -> None:
        if b"boom" in body:
            raise KeyError("boom")

    def hangs(body: bytes) -> None:
        re.match(rb"(a+)+$", body)

    _, failure = fuzz(Target("fails", "boom", (), fails), 200)
    assert failure is not None and isinstance(failure.error, KeyError) and failure.body == b"boom"
    _, failure = fuzz(Target("hangs", "a", ("a" * 60 + "!",), hangs), 200)
    assert failure is not None and isinstance(failure.error, TooSlow)


# Found by it.


@pytest.mark.parametrize("language", ["", "el", "en", "ja"])
def test_a_raised_two_is_no_number_and_five_thousand_digits_are_none(language: str) -> None:
    text = TokenizedText("5² και ½ Ⅷ ٣", language)
    assert "5" in text.numbers and "3" in text.numbers
    assert TokenizedText("9" * 5000, language).numbers == frozenset()
    assert TokenizedText("one " + "million " * 3000, "en").quantities


def test_values_that_python_does_not_read_are_one_line(tmp_path: Path) -> None:
    for text in ("a = " + "9" * 5000, "a = " + "[" * 100_000):
        with pytest.raises(UsageError, match="not valid TOML"):
            profiles.parse(text, "mine")
        path = tmp_path / "kkoracle.toml"
        path.write_text(text)
        with pytest.raises(UsageError, match="not valid TOML"):
            Config.find(path)


def test_a_reply_with_such_values_yields_its_other_pairs() -> None:
    good = '{"question": "Who?", "answer": "The mayor."}'
    for bad in ('{"a": ' + "9" * 5000 + "}", "[" * 50_000, '{"a": [}'):
        assert [draft.answer for draft in parse.parse(f"{bad}\n{good}")] == ["The mayor."]
    for deep in ('{"a":' * 50_000, '{"a":' * 900 + "1" + "}" * 900):
        assert parse.parse(deep) == []
        assert len(parse.parse(f"{deep}\nQ: Who?\nA: The mayor.")) == 1


def test_a_delay_of_any_length_is_a_day_at_most() -> None:
    for line in ("Crawl-delay: ", "Request-rate: 1/"):
        assert RobotsRules(f"User-agent: *\n{line}{'9' * 400}").delay == 86_400
    assert RobotsRules(f"User-agent: *\nRequest-rate: {'9' * 400}/1").delay < 1e-9


def test_time_grows_with_size() -> None:
    with cpu_limit(2):
        parse.parse_answer("\n" * 40_000 + "²")
        parse.parse("Q: Who?\nA:" + "\n" * 40_000)
        decode(b'<script\xbb\x90\xb1"' * 30_000)
        sitemaps_in_robots("\n" * 100_000)
        visible_text(b"<" * 300_000)
        assert parse_date("3 May 2004 and " * 3000, language="en") == "2004-05-03"
