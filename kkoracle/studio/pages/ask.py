"""Ask: one question to several systems, a blind vote, who it was, and where it is from.

A question is answered in the background; the page shows each answer as it comes, and a browser
that is closed stops nothing. A talk lives as long as the studio does; votes are stored.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.routing import Route

from exchange.errors import NotFound, UsageError, UserError
from exchange.store.review import Review, Vote
from kkoracle.studio import comparison
from kkoracle.studio.comparison import ComparisonRound, Talk
from kkoracle.studio.studio import Studio, field, form_action, whole_number
from kkoracle.studio.systems import (
    LONGEST_QUESTION,
    STRENGTHS,
    StudioSystems,
    open_systems,
    runs_with_adapter,
    system_names,
)
from kkoracle.studio.threads import RecentThings
from trainer.chat.session import BASE, RAG, SYSTEMS, TUNED, TUNED_RAG

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request
    from starlette.responses import Response

LOADING = "Loading the model; the first question waits for it."
BESIDE_WORKER = "A worker generates on this machine: the model is in memory twice, and slower."
LABELS = {BASE: "base", TUNED: "tuned", RAG: "base with search", TUNED_RAG: "tuned with search"}
SAVED = {
    "md": ("text/markdown", comparison.to_markdown),
    "html": ("text/html", comparison.to_html),
}
Talks = RecentThings[Talk]


def routes(studio: Studio) -> list[Route]:
    """What the page answers."""
    talks: Talks = RecentThings("talk")

    def act(
        path: str, change: Callable[[Studio, Talks, Request, FormData], Response], name: str
    ) -> Route:
        action = form_action(partial(change, studio, talks))
        return Route(path, action, methods=["POST"], name=name)

    return [
        Route("/ask", partial(show_ask, studio, talks), name="ask", methods=["GET"]),
        act("/ask", begin_question, "put-question"),
        act("/ask/unload", unload, "unload"),
        act("/ask/{talk}/cancel", cancel, "cancel"),
        act("/ask/{talk}/vote", vote, "vote"),
        Route("/ask/{talk}/talk.{ending}", partial(save_talk, studio, talks), name="save-talk"),
    ]


def show_ask(studio: Studio, talks: Talks, request: Request) -> Response:
    """The question's form, and the talk that is under way."""
    name = request.query_params.get("talk", "")
    talk = talks.find(name) if name else Talk()
    runs = runs_with_adapter(studio.project, studio.archive)
    wanted = request.query_params.get("run")
    last = talk.rounds[-1] if talk.rounds else None
    run = last.run if last else wanted if wanted in runs else (runs or [""])[0]
    asked = set(last.systems) if last else set(system_names(run)[: 3 if run else 2])
    strength = last.strength if last else 1.0
    return studio.page(
        request,
        "ask.html.j2",
        talk=talk,
        name=name,
        rounds=list(enumerate(talk.rounds))[::-1],
        runs=runs,
        run=run,
        labels=LABELS,
        ticked={
            kind
            for kind, name in zip(SYSTEMS, system_names("any", strength), strict=True)
            if name in asked
        },
        strengths=STRENGTHS,
        strength=strength,
        blind=last.blind if last else True,
        follows=last.follows if last else False,
        longest=LONGEST_QUESTION,
        votes=_counted(studio),
        loaded=studio.models.loaded.startswith("ask "),
        endings=SAVED,
        stories="stories" in {route.name for route in request.app.routes},
    )


def begin_question(studio: Studio, talks: Talks, request: Request, form: FormData) -> Response:
    """Put a question; it is answered in the background."""
    name = field(form, "talk", 40)
    talk = talks.find(name) if name else Talk()
    talk.begin(_round(studio, form))
    name = name or talks.add(talk)
    threading.Thread(target=_answer, args=(studio, talk), daemon=True).start()
    return studio.redirect(request, "ask", talk=name)


def cancel(studio: Studio, talks: Talks, request: Request, form: FormData) -> Response:
    """Stop answering at the next token; whole answers stay."""
    talk = talks.find(request.path_params["talk"])
    talk.stop.set()
    return studio.redirect(request, "ask", talk=request.path_params["talk"])


def vote(studio: Studio, talks: Talks, request: Request, form: FormData) -> Response:
    """Store which answer is best, and show whose they are."""
    name = request.path_params["talk"]
    talk = talks.find(name)
    number = whole_number(field(form, "round", 10), -1)
    if not 0 <= number < len(talk.rounds):
        raise NotFound("no such question in this talk")
    of, choice = talk.rounds[number], field(form, "choice", 40)
    if not of.whole or of.said or choice not in of.choices:
        raise UsageError("choose one of the answers, or that all or none of them will do")
    better = field(form, "better", LONGEST_QUESTION)
    talk.rounds[number], stored = comparison.record_vote(of, choice, better, "me")
    studio.records.run(lambda: _store(studio, stored))
    return studio.redirect(request, "ask", f"stored: {talk.rounds[number].said}", talk=name)


def unload(studio: Studio, talks: Talks, request: Request, form: FormData) -> Response:
    """Give the memory back now, and not when nobody has asked for a while."""
    studio.models.let_go()
    return studio.redirect(request, "ask", "the model has left the memory")


def save_talk(studio: Studio, talks: Talks, request: Request) -> Response:
    """The talk as a file."""
    from starlette.responses import Response as FileResponse

    talk, ending = talks.find(request.path_params["talk"]), request.path_params["ending"]
    if ending not in SAVED:
        raise NotFound(f"a talk is saved as {' or '.join(SAVED)}, not as {ending}")
    kind, write = SAVED[ending]
    whole = [one for one in talk.rounds if one.whole]
    file = quote(f"{studio.archive}-talk.{ending}")
    return FileResponse(
        write(f"{studio.archive}: questions and answers", whole),
        media_type=kind,
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{file}"},
    )


def _round(studio: Studio, form: FormData) -> ComparisonRound:
    """What the form asks, checked."""
    question, run = field(form, "question", LONGEST_QUESTION + 1), field(form, "run", 80)
    if not question:
        raise UsageError("write a question first")
    if len(question) > LONGEST_QUESTION:
        raise UsageError(f"a question has {LONGEST_QUESTION} characters at most")
    if run and run not in runs_with_adapter(studio.project, studio.archive):
        raise NotFound(f"no run {run!r} with an adapter: `kkoracle train` makes one")
    strength = next((s for s in STRENGTHS if field(form, "strength", 10) == f"{s:g}"), 1.0)
    kinds = set(form.getlist("system"))
    here = SYSTEMS if run else (BASE, RAG)
    asked = [
        name for kind, name in zip(here, system_names(run, strength), strict=True) if kind in kinds
    ]
    if not asked:
        raise UsageError("choose at least one that is asked" + ("" if run else "; no run is tuned"))
    return comparison.begin_round(
        question,
        run,
        asked,
        bool(field(form, "blind")),
        strength=strength,
        follows=bool(field(form, "follows")),
    )


def _answer(studio: Studio, talk: Talk) -> None:
    """Ask one system after the other, in a thread of its own."""
    of = talk.rounds[-1]
    key = f"ask {of.run} {of.strength:g}"
    notes = [BESIDE_WORKER] if studio.models.busy_elsewhere() else []
    if studio.models.loaded != key:
        notes.append(LOADING)
    talk.note = " ".join(notes)

    def stop() -> bool:
        return talk.stop.is_set() or studio.ending.is_set()

    try:
        for system in of.systems:
            if stop():
                break
            before = talk.said_by(system) if of.follows else []
            given = studio.models.use(
                key,
                lambda: open_systems(
                    studio.project, studio.archive, of.run, of.strength, lambda _: None
                ),
                partial(
                    StudioSystems.ask,
                    name=system,
                    question=of.question,
                    max_tokens=studio.max_tokens,
                    before=before,
                    stop=stop,
                ),
            )
            talk.note = ""
            talk.add(given)
    except UserError as error:
        talk.end(str(error))
    except RuntimeError:  # the studio ends
        talk.end("the studio was ended")
    else:
        talk.end()


def _store(studio: Studio, stored: Vote) -> None:
    review = Review.open(studio.directory)
    try:
        review.add_vote(stored)
    finally:
        review.close()


def _counted(studio: Studio) -> list[tuple[str, int, int, str, int]]:
    """Votes by system: shown, best, share, blindly best."""
    review = Review.read(studio.directory)
    if review is None:
        return []
    try:
        found = comparison.count_votes(review.votes())
    finally:
        review.close()
    return [
        (system, shown, best, f"{best / shown:.0%}", blind) for system, shown, best, blind in found
    ]
