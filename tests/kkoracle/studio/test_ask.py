"""Ask: answers come one by one, blind until the vote; what is said is stored and saved."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest

from exchange import lock
from tests.conftest import until
from tests.kkoracle.browser import Browser
from tests.kkoracle.studio.conftest import (
    BASE,
    EVIL,
    Server,
    ask,
    foreign,
    get,
    post,
    put,
    refused,
)

ALL = tuple(("system", name) for name in ("base", "tuned", "rag", "tuned+rag"))
LATER = ("setTimeout(() => { window.later = true }, 300)", "window.later")  # what fires late


def act(talk: str, what: str) -> str:
    """The address of something that is done with a talk."""
    return talk.replace("?talk=", "/") + f"/{what}"


def names(page: str) -> list[str]:
    return re.findall(r"<h3>([A-D](?:: [^<]*)?)</h3>", page)


def test_a_blind_question_is_answered_voted_on_and_revealed(server: Server) -> None:
    before = len(server.review().votes())
    talk = put(server, "Τι έκανε η Ελένη Καρατζά;", *ALL, blind="1")
    page = get(talk)
    assert names(page) == ["A", "B", "C", "D"]
    assert page.count('class="said"') == 4 and "<details" not in page.split('id="part"')[1]
    better = "Η Ελένη Καρατζά."
    page = post(act(talk, "vote"), round="0", choice="B", better=better)
    assert "stored: B is best" in page
    shown = [name.partition(": ")[2] for name in names(page)]
    assert sorted(shown) == sorted(name for _, name in ALL)
    assert page.count('class="source"') >= 2 and "http://x/" in page and better in page
    (vote,) = server.review().votes()[before:]
    assert vote.systems == tuple(shown) and vote.best == shown[1] and vote.blind
    assert vote.better == better and vote.run == "default"
    assert "blindly best" in page
    assert "choose one" in refused(act(talk, "vote"), round="0", choice="A")  # once
    assert len(server.review().votes()) == before + 1


def test_a_citation_leads_to_the_stored_story(server: Server) -> None:
    page = get(put(server, "Τι έκανε η Ελένη Καρατζά;", ("system", "rag")))
    found = re.findall(r'href="(/stories/[0-9a-f]+)"', page)
    assert found and all("<h1" in get(server.url + path) for path in found)
    assert "A: rag" in page


def test_the_strength_of_tuning_is_asked_and_voted_on_as_a_system_of_its_own(
    server: Server,
) -> None:
    page = get(put(server, "Πότε;", ("system", "tuned"), strength="0.5"))
    assert names(page) == ["A: tuned-0.5"]
    assert re.search(r'value="0.5" selected', page)


def test_a_talk_goes_on_and_is_saved_in_both_kinds(server: Server) -> None:
    talk = put(server, f"Πότε; {EVIL}", *BASE)
    name = talk.partition("talk=")[2]
    put(server, "Και πού;", *BASE, talk=name, follows="1")
    page = get(talk)
    assert page.index("Και πού;") < page.index("Πότε;") and "knows what it said" in page
    for ending, kind in (("md", "text/markdown"), ("html", "text/html")):
        status, text, headers = ask(act(talk, f"talk.{ending}"))
        assert status == 200 and headers["content-type"].startswith(kind)
        assert headers["content-disposition"].startswith("attachment; filename*=UTF-8''paper-talk")
        assert "Και πού;" in text and "<script>" not in text
    assert ask(act(talk, "talk.exe"))[0] == 404


def test_what_is_cancelled_keeps_whole_answers_and_can_be_asked_again(server: Server) -> None:
    with lock.hold_gpu(server.desk.folder / "data", shared=True):
        talk = asked_too_soon(server)
        post(act(talk, "cancel"))
        until(lambda: ">answering<" not in get(talk), 60)
    whole = len(names(get(talk)))
    page = get(put(server, "Πού;", *BASE, talk=talk.partition("talk=")[2]))
    assert len(names(page)) == whole + 1 and page.count('class="said"') == whole + 1


def asked_too_soon(server: Server) -> str:
    """A talk whose next question was refused, as the first was still being answered.

    A machine that stands still between the two requests may have answered by then: tried again.
    """
    said = {"question": "Πότε;", "run": "default"}
    for _ in range(10):
        post(f"{server.url}/ask/unload")  # loading takes a while
        name = re.search(r'name="talk" value="([^"]+)"', post(f"{server.url}/ask", *ALL, **said))
        assert name
        talk = f"{server.url}/ask?talk={name[1]}"
        again = urlencode([*BASE, *said.items(), ("talk", name[1])]).encode()
        status, page, _ = ask(f"{server.url}/ask", again)
        if status != 200:
            assert status == 400 and "still being answered" in page
            return talk
        until(lambda talk=talk: ">answering<" not in get(talk), 60)  # type: ignore[misc]
    raise AssertionError("every first question was answered before the next was asked")


def test_what_cannot_be_asked_is_one_line(server: Server) -> None:
    for fields, more, said in (
        (BASE, {"question": " "}, "write a question"),
        ((), {}, "at least one"),
        ((("system", "tuned"),), {"run": ""}, "no run is tuned"),
        (BASE, {"question": "α" * 3000}, "characters"),
        (BASE, {"run": "../.."}, "no run"),
        (BASE, {"talk": "none"}, "is over"),
    ):
        sent = {"question": "Πότε;", "run": "default", **more}
        assert said in refused(f"{server.url}/ask", *fields, **sent)
    talk = put(server, "Πότε;", *BASE)
    for sent in ({"round": "7", "choice": "A"}, {"round": "0", "choice": "Z"}):
        assert ask(act(talk, "vote"), urlencode(sent).encode())[0] in (400, 404)


def test_while_a_run_trains_no_model_is_loaded_and_the_page_says_why(server: Server) -> None:
    post(f"{server.url}/ask/unload")
    with lock.hold_gpu(server.desk.folder / "data"):
        page = get(put(server, "Πότε;", *BASE))
    assert "training runs" in page and names(page) == []
    assert names(get(put(server, "Πότε;", *BASE))) == ["A: base"]
    assert "Unload the model" in get(f"{server.url}/ask")
    assert "has left the memory" in post(f"{server.url}/ask/unload")
    with lock.hold_gpu(server.desk.folder / "data"):
        pass  # memory and lock were given back


def test_answers_come_without_a_reload_and_hostile_words_stay_words(
    browser: Browser, server: Server
) -> None:
    write = (
        "document.querySelector('textarea[name=question]').value = "
        f"{f'{EVIL} Τι έκανε η Ελένη Καρατζά;'!r};"
        "document.querySelector('textarea[name=question]').dispatchEvent("
        "new KeyboardEvent('keydown', {key: 'Enter', bubbles: true, cancelable: true}))"
    )
    letter = "document.querySelector('input[type=radio][value=A]')"
    seen = browser.look(
        f"{server.url}/ask",
        "document.readyState === 'complete'",
        (write, "location.search.includes('talk=')"),
        ("window.stays = true", "document.querySelectorAll('.answers .said').length === 3"),
        ("", f"window.stays && {letter} !== null"),
        (
            f"{letter}.click(); document.querySelector('form.vote button').click()",
            "document.querySelectorAll('details.source').length > 0",
        ),
        LATER,
        seconds=60,
    )
    assert seen["owned"] is None and foreign(seen, server.url) == set()
    assert "&lt;img src=x onerror=" in seen["dom"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_for_everybody(
    browser: Browser, server: Server, width: int, scheme: str
) -> None:
    talk = put(server, "Τι έκανε η Ελένη Καρατζά;", ("system", "rag"), *BASE)
    ready = "document.querySelector('form.vote') !== null"
    assert not browser.faults(talk, ready, width=width, scheme=scheme)


def test_a_talk_that_nobody_has_is_not_found(server: Server) -> None:
    assert ask(f"{server.url}/ask?talk=none")[0] == 404
