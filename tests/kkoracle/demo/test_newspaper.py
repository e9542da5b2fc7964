"""The sample newspaper: the same every time, true to its facts, and readable as bytes."""

from __future__ import annotations

import asyncio
import html
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from exchange.net import listen
from kkoracle.demo.newspaper import build_newspaper, serve, write_truth
from kkoracle.demo.newspaper.vocabulary import known_frames, new_frames

NEWSPAPER = build_newspaper()
STORIES = NEWSPAPER.stories
FACTS = [fact for story in STORIES for fact in story.facts]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def test_same_seed_gives_the_same_bytes() -> None:
    assert build_newspaper().pages == NEWSPAPER.pages
    assert build_newspaper(seed=8).pages != NEWSPAPER.pages


@pytest.mark.parametrize("count", [60, 100, 320])
def test_any_size_spreads_over_all_years_and_shapes(count: int) -> None:
    stories = build_newspaper(stories=count).stories
    assert len(stories) == count
    assert {story.date.year for story in stories} == set(range(2008, 2025))
    assert {story.shape for story in stories} == {"tables", "storybody", "several", "modern"}


def test_too_small_a_newspaper_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 60"):
        build_newspaper(stories=59)


def test_every_sentence_of_a_fact_stands_in_its_story() -> None:
    for story in STORIES:
        assert 2 <= len(story.paragraphs) <= 4
        for fact in story.facts:
            assert any(fact.sentence in paragraph for paragraph in story.paragraphs)


def test_every_word_of_an_answer_stands_in_its_sentence() -> None:
    for fact in FACTS:
        assert _words(fact.answer) <= _words(fact.sentence), fact


def test_questions_are_asked_once_and_end_as_greek_questions_do() -> None:
    questions = [fact.question for fact in FACTS]
    assert len(set(questions)) == len(questions)
    for fact in FACTS:
        assert len({fact.question, *fact.rephrasings}) == 3
        assert all(text.endswith(";") for text in (fact.question, *fact.rephrasings))


def test_most_facts_use_frames_that_the_model_knows() -> None:
    known = {frame.id for frame in known_frames()}
    new = {frame.id for frame in new_frames()}
    assert len(known) == len(new) == 32 and not known & new
    share = sum(fact.known for fact in FACTS) / len(FACTS)
    assert 0.80 <= share <= 0.92
    assert all(fact.known == (fact.frame in known) for fact in FACTS)
    assert {fact.kind for fact in FACTS} == {
        "fact",
        "person",
        "place",
        "time",
        "quantity",
        "cause",
    }


def test_every_link_leads_to_a_page_and_every_page_is_linked() -> None:
    links = set()
    for url, page in NEWSPAPER.pages.items():
        text = page.body.decode(NEWSPAPER.charsets[url])
        links |= {html.unescape(link) for link in re.findall(r'href="([^"#]+)"', text)}
    assert links == set(NEWSPAPER.pages) - {"/robots.txt"}


def test_pages_decode_with_their_real_charset_and_hold_the_story() -> None:
    assert set(NEWSPAPER.charsets.values()) == {"utf-8", "windows-1253", "iso-8859-7"}
    for story in STORIES:
        url = NEWSPAPER.addresses[story.id].split("#")[0]
        text = NEWSPAPER.pages[url].body.decode(NEWSPAPER.charsets[url])
        bare = html.unescape(re.sub(r"<[^>]+>", "", text))
        for paragraph in story.paragraphs:
            assert paragraph in bare


def test_old_pages_say_a_right_a_wrong_and_no_charset() -> None:
    said = {
        NEWSPAPER.pages[NEWSPAPER.addresses[story.id]].content_type
        for story in STORIES
        if story.shape == "tables"
    }
    assert {"text/html; charset=windows-1253", "text/html", "text/html; charset=utf-8"} <= said


def test_the_index_counts_the_words_of_each_story() -> None:
    for story in STORIES:
        url = f"/issue.do?publDate={story.date.day}/{story.date.month}/{story.date.year}"
        url += "&edition=2" if story.edition == 2 else ""
        index = NEWSPAPER.pages[url].body.decode()
        entry = re.search(rf'data-id="{story.id}".*?</li>', index)
        assert entry is not None
        assert f"{story.words} λέξεις, σελ.: {story.page_no}<" in entry.group()


def test_aliases_show_the_same_story_and_leave_outs_exist() -> None:
    assert {story.edition for story in STORIES} == {1, 2}
    for alias, url in NEWSPAPER.aliases.items():
        assert NEWSPAPER.pages[alias] == NEWSPAPER.pages[url]
    assert set(NEWSPAPER.leave_outs) <= set(NEWSPAPER.pages)


def test_truth_is_written_whole(tmp_path: Path) -> None:
    write_truth(NEWSPAPER, tmp_path / "truth.json")
    truth = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert len(truth["stories"]) == len(STORIES)
    assert truth["stories"][0]["facts"][0]["sentence"] == STORIES[0].facts[0].sentence
    assert [path.name for path in tmp_path.iterdir()] == ["truth.json"]


def test_served_bytes_are_the_pages_whatever_the_slash() -> None:
    async def check() -> None:
        import aiohttp

        listener = listen("127.0.0.1", 0)
        port = listener.getsockname()[1]
        runner = await serve(NEWSPAPER, listener)
        story = STORIES[0]
        day = f"{story.date.day}%2F{story.date.month}%2F{story.date.year}"
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
                for url in ("/robots.txt", NEWSPAPER.addresses[story.id]):
                    async with session.get(url) as answer:
                        assert await answer.read() == NEWSPAPER.pages[url].body
                async with session.get(f"/issue.do?publDate={day}") as answer:
                    assert answer.status == 200
                async with session.get("/story.do?id=1") as answer:
                    assert answer.status == 404
        finally:
            await runner.cleanup()

    asyncio.run(check())


def test_the_command_says_its_address_and_stops_on_a_signal() -> None:
    command = [sys.executable, "-m", "kkoracle.demo.newspaper", "--stories", "60"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        url = child.stdout.readline().decode().strip()
        with urllib.request.urlopen(url + "/robots.txt") as answer:
            assert b"Crawl-delay: 0.05" in answer.read()
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=10) == 0
    finally:
        child.kill()
        child.communicate()


def test_it_takes_over_a_port_that_is_open_already() -> None:
    with listen("127.0.0.1", 0) as listener:
        fd = listener.fileno()
        command = [sys.executable, "-m", "kkoracle.demo.newspaper", "--stories", "60"]
        child = subprocess.Popen([*command, "--fd", str(fd)], pass_fds=(fd,))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/robots.txt"
    try:
        # Asked before it is ready, it answers once it is.
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert b"Crawl-delay: 0.05" in answer.read()
    finally:
        child.kill()
        child.communicate()


def test_a_port_in_use_is_one_line_and_exit_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "kkoracle.demo.newspaper", "--stories", "60", "--port", port],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    # The dynamic loader may have a word of its own to say about LD_PRELOAD.
    ours = [line for line in done.stderr.splitlines() if "ld.so" not in line]
    assert len(ours) == 1 and ours[0].startswith("error: cannot listen")


def test_the_english_newspaper_is_the_same_every_time_and_true_to_its_facts() -> None:
    english = build_newspaper(7, 60, language="en")
    assert english.pages == build_newspaper(7, 60, language="en").pages
    assert english.pages != build_newspaper(8, 60, language="en").pages
    facts = [fact for story in english.stories for fact in story.facts]
    assert len(english.stories) == 60 and len({fact.question for fact in facts}) == len(facts)
    for story in english.stories:
        page = english.pages[english.addresses[story.id]].body.decode()
        for fact in story.facts:
            assert any(fact.sentence in paragraph for paragraph in story.paragraphs)
            assert html.escape(fact.sentence, quote=False) in page
            assert _words(fact.answer) - {"it", "is", "called", "with", "to", "has"} <= _words(
                fact.sentence
            )
            assert all("{" not in text for text in (fact.question, *fact.rephrasings))
    with pytest.raises(ValueError, match="at least 60"):
        build_newspaper(7, 59, language="en")
