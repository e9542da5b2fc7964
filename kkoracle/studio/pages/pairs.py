"""Pairs: a list by any filter, a pair beside its chunk, and what a person says of one or many.

What is said is a row in `review.sqlite` at once; what was said together is taken back together. The
next `kkoracle dataset build` obeys it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.routing import Route

from exchange.errors import NotFound, UsageError
from exchange.store.joined_lists import JoinedPairs
from exchange.store.pair_index import MOST
from exchange.store.pairs import LABELS, PairFilter, label_name, labels_of, split_at_quote
from exchange.store.review import Label
from kkoracle.studio.pages.review import LONGEST, REVIEWER, own_words, reviewer_of
from kkoracle.studio.studio import Studio, field, form_action
from trainer.review.session import rejection_reasons

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request
    from starlette.responses import Response

REVIEWER_S = 365 * 24 * 3600  # so long a browser knows whose labels it gives


def routes(studio: Studio) -> list[Route]:
    """What the page answers."""
    actions: dict[str, Callable[[Studio, Request, FormData], Response]] = {
        "accept": accept_pairs,
        "reject": reject_pairs,
        "undo": undo_labels,
        "reviewer": name_reviewer,
    }
    return [
        Route("/pairs", partial(show_pairs, studio), name="pairs"),
        *(
            Route(
                f"/pairs/{name}",
                form_action(partial(action, studio)),
                methods=["POST"],
                name=f"pairs-{name}",
            )
            for name, action in actions.items()
        ),
        Route("/pairs/{id}", partial(show_pair, studio), name="pair"),
    ]


def show_pairs(studio: Studio, request: Request) -> Response:
    """The list, or what is needed to have one."""
    wanted, asked = read_filter(studio, request.query_params)
    try:
        with _opened(studio, asked) as pairs:
            left = pairs.catch_up()
            page = pairs.page(wanted, request.query_params.get("at", ""))
            counts = pairs.counts(wanted)
            choices = {name: pairs.choices(name) for name in ("kind", "section", "year")}
            about = pairs.about(page.rows)
            rows = pairs.rows(page.rows)
    except NotFound as error:
        return studio.page(request, "pairs.html.j2", nothing=str(error))
    fits = {"accepted": counts.accepted, "rejected": counts.rejected}
    number = counts.reasons.get(wanted.reason, 0) if wanted.reason else None
    if number is None:
        number = fits.get(wanted.status, sum(fits.values()))
    return studio.page(
        request,
        "pairs.html.j2",
        nothing="",
        rows=[(paper, row, *about.get(row.pair.id, ("none", None))) for paper, row in rows],
        page=page,
        fits=fits,
        number=number,
        most=MOST,
        reasons=counts.reasons,
        choices={
            name: {value: f"{value} ({count:,})" for value, count in values.items()}
            for name, values in choices.items()
        },
        labels={name: name for name in LABELS},
        asked=asked,
        chosen={name: asked.get(name, "") for name in (*PairFilter.FIELDS, "paper")},
        at=request.query_params.get("at", ""),
        left=left,
        **_reviewing(studio, request),
    )


def show_pair(studio: Studio, request: Request) -> Response:
    """One pair beside its chunk, with the sentence that supports it marked."""
    wanted, asked = read_filter(studio, request.query_params)
    with _opened(studio, asked) as pairs:
        folder, found = pairs.read(request.path_params["id"])
        pairs.catch_up()
        before, after = pairs.beside(wanted, found.pair.id)
    given = labels_of(folder, found.pair.id)
    last = given[-1] if given else Label(pair_id="", verdict="withdrawn")
    return studio.page(
        request,
        "pair.html.j2",
        paper=folder.name,
        found=found,
        pair=found.pair,
        chunks=[(one, split_at_quote(one.text, found.pair.quote)) for one in found.chunks],
        label=label_name(given),
        given=given,
        question=last.question or found.pair.question,
        answer=last.answer or found.pair.answer,
        before=before,
        after=after,
        asked=asked,
        longest=LONGEST,
        **_reviewing(studio, request),
    )


def accept_pairs(studio: Studio, request: Request, form: FormData) -> Response:
    """Right, or right in the person's own words."""
    question = answer = ""
    ids = _chosen(studio, form)
    if "question" in form:
        with _opened(studio) as pairs:
            pair = pairs.read(ids[0])[1].pair
        question = own_words(form, "question", pair.question)
        answer = own_words(form, "answer", pair.answer)
    given = Label(
        pair_id="",
        verdict="accept",
        question=question,
        answer=answer,
        reviewer=reviewer_of(request),
    )
    labels = [replace(given, pair_id=one) for one in ids]
    return _labelled(studio, request, form, labels, "accepted")


def reject_pairs(studio: Studio, request: Request, form: FormData) -> Response:
    """Not fit to be taught, with a reason."""
    why = field(form, "why")
    if why not in rejection_reasons(studio.project.language(studio.archive)):
        raise UsageError("why? go back and choose a reason first (keys 1 to 6)")
    reviewer = reviewer_of(request)
    labels = [
        Label(pair_id=one, verdict="reject", reason=why, reviewer=reviewer)
        for one in _chosen(studio, form)
    ]
    return _labelled(studio, request, form, labels, f"rejected: {why}")


def undo_labels(studio: Studio, request: Request, form: FormData) -> Response:
    """Take back what this person said last, of one pair or of many."""
    reviewer = reviewer_of(request)
    with _opened(studio) as pairs:
        batch = pairs.last_batch(reviewer, withdraw=True)
    if batch is None:
        return _back(studio, request, form, f"nothing of {reviewer}'s is left to take back")
    said = f"taken back: {_count(batch.pairs)} {batch.verdict}ed"
    if field(form, "on") and batch.pairs == 1:
        _, asked = read_filter(studio, form)
        return studio.redirect(request, "pair", said, id=batch.pair_id, **asked)
    return _back(studio, request, form, said)


def name_reviewer(studio: Studio, request: Request, form: FormData) -> Response:
    """Whose labels these are from now on, in this browser."""
    name = field(form, "reviewer", 64) or "me"
    answer = _back(studio, request, form, f"labels are {name}'s from now on")
    answer.set_cookie(
        REVIEWER,
        quote(name),
        max_age=REVIEWER_S,
        path=studio.root_path or "/",
        httponly=True,
        samesite="strict",
    )
    return answer


def read_filter(studio: Studio, values: Mapping[str, Any]) -> tuple[PairFilter, dict[str, str]]:
    """The filter that an address or a form holds, and its fields and its newspaper as written.

    Raises:
        UsageError: a score that is no number, or no newspaper of this archive.
    """
    asked = {
        name: value.strip()[:200]
        for name in PairFilter.FIELDS
        if isinstance(value := values.get(name, ""), str) and value.strip()
    }
    wanted = PairFilter.of(asked)
    if paper := studio.paper_of(values):
        asked["paper"] = paper
    return wanted, asked


def _chosen(studio: Studio, form: FormData) -> list[str]:
    """The pairs that were ticked, or all of the list."""
    if not field(form, "everything"):
        ids = [one for one in form.getlist("pair") if isinstance(one, str) and one]
        if not ids:
            raise UsageError("no pair is ticked: go back and tick some (key x)")
        return list(dict.fromkeys(ids))
    wanted, asked = read_filter(studio, form)
    with _opened(studio, asked) as pairs:
        pairs.catch_up()
        ids = pairs.ids(wanted, MOST + 1)
    if not ids or len(ids) > MOST:
        raise UsageError(f"{len(ids):,} pairs: from 1 to {MOST:,} can be judged at once")
    return ids


def _labelled(
    studio: Studio, request: Request, form: FormData, labels: Sequence[Label], said: str
) -> Response:
    """Store the labels, and lead on to the next pair or back to the list."""
    wanted, asked = read_filter(studio, form)
    on, after = field(form, "on"), ""
    with _opened(studio, asked) as pairs:
        pairs.catch_up()
        if len(pairs.about([one.pair_id for one in labels])) < len(labels):
            raise UsageError("a pair of these is not in this archive: look at the list again")
        if on:
            _, after = pairs.beside(wanted, on)
        pairs.add_labels(labels)
        pairs.catch_up()
    said = f"{_count(len(labels))} {said}"
    if after:
        return studio.redirect(request, "pair", said, id=after, **asked)
    return _back(studio, request, form, said)


def _back(studio: Studio, request: Request, form: FormData, said: str) -> Response:
    _, asked = read_filter(studio, form)
    on = field(form, "stay")
    if on:
        return studio.redirect(request, "pair", said, id=on, **asked)
    return studio.redirect(
        request, "pairs", said, at=field(form, "at"), why=field(form, "why"), **asked
    )


def _reviewing(studio: Studio, request: Request) -> dict[str, Any]:
    """Who judges, why he may reject, and what he can take back."""
    reviewer = reviewer_of(request)
    with _opened(studio) as pairs:
        last = pairs.last_batch(reviewer)
    return {
        "reviewer": reviewer,
        "why": rejection_reasons(studio.project.language(studio.archive)),
        "chosen_why": request.query_params.get("why", ""),
        "last": last,
    }


def _opened(studio: Studio, asked: Mapping[str, str] = MappingProxyType({})) -> JoinedPairs:
    """The pairs of the newspaper that is asked for, or of all, for one look."""
    return JoinedPairs(studio.directory, asked.get("paper", ""))


def _count(pairs: int) -> str:
    return f"{pairs:,} pair{'' if pairs == 1 else 's'}"
