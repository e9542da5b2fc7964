"""Review 50: pairs chosen for a person, as much from each stratum, some of them twice.

What is chosen, and why some come again, stands in `trainer.review.session`; here each reviewer has
his session, which goes on where he left it as long as the studio runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from starlette.routing import Route

from exchange.errors import NotEnoughData, NotFound, UsageError
from exchange.store.pairs import split_at_quote
from exchange.store.review import Review
from exchange.text.controls import printable
from kkoracle.studio.studio import Studio, field, form_action
from trainer.review.session import (
    ReviewAgreement,
    ReviewSession,
    open_review,
    rejection_reasons,
    self_agreement,
)

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request
    from starlette.responses import Response

REVIEWER = "kkoracle-reviewer"  # the cookie of whose labels these are
LONGEST = 20_000  # characters of a question or an answer
PAIRS_PER_SESSION = 50  # pairs of a session; the next one is begun by whoever wants it


def routes(studio: Studio) -> list[Route]:
    """What the page answers."""
    sessions = ReviewSessions(studio)
    return [
        Route("/pairs/review", partial(show_review, studio, sessions), name="review"),
        Route(
            "/pairs/review/{what}",
            form_action(partial(answer_review, studio, sessions)),
            methods=["POST"],
            name="review-answer",
        ),
    ]


class ReviewSessions:
    """The sessions by reviewer, with one newspaper each. All of it belongs to one thread."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._sessions: dict[tuple[str, str], ReviewSession] = {}

    def current(self, reviewer: str, paper: str) -> ReviewSession:
        """Where this reviewer is; a session begins when he has none.

        Raises:
            NotEnoughData: no pair is waiting.
        """
        if (reviewer, paper) not in self._sessions:
            self.begin(reviewer, paper)
        return self._sessions[reviewer, paper]

    def begin(self, reviewer: str, paper: str) -> None:
        """Choose the next pairs for this reviewer."""
        folder = self._studio.folder(paper)
        self._sessions[reviewer, paper] = open_review(folder, PAIRS_PER_SESSION, reviewer)

    def answer(
        self, reviewer: str, paper: str, pair: str, act: Callable[[ReviewSession], None]
    ) -> str:
        """Say something of the pair that was shown; returns what to tell him, "" for nothing."""
        session = self.current(reviewer, paper)
        if session.item is None or session.item.pair.pair.id != pair:
            return "another pair was shown meanwhile; here it is"
        act(session)
        return ""

    def undo(self, reviewer: str, paper: str) -> str:
        """Show the pair before, and take back what was said of it."""
        session = self._sessions.get((reviewer, paper))
        if session is None or not session.undo():
            return "this is the first pair of this session"
        return "one pair back"

    def agreement(self, paper: str) -> ReviewAgreement:
        """How often a second look said the same, over all that was ever labelled."""
        review = Review.open(self._studio.folder(paper))
        try:
            return self_agreement(review)
        finally:
            review.close()


def show_review(studio: Studio, sessions: ReviewSessions, request: Request) -> Response:
    """The pair that this reviewer is at, or what is known when there is none."""
    reviewer, paper = reviewer_of(request), paper_of(studio, request.query_params)

    def look() -> tuple[ReviewSession | None, str, ReviewAgreement]:
        try:
            session = sessions.current(reviewer, paper)
        except (NotEnoughData, NotFound) as error:
            return None, str(error), ReviewAgreement(0, 0)
        return session, "", sessions.agreement(paper)

    session, nothing, agreement = studio.records.run(look)
    item = session.item if session else None
    return studio.page(
        request,
        "review.html.j2",
        session=session,
        item=item,
        pair=item.pair.pair if item else None,
        chunk=split_at_quote(item.chunk, item.pair.pair.quote) if item else None,
        nothing=nothing,
        agreement=agreement,
        reviewer=reviewer,
        paper=paper,
        why=rejection_reasons(studio.project.language(studio.archive)),
        longest=LONGEST,
    )


def accept_item(session: ReviewSession, form: FormData) -> None:
    """The pair that is shown is right, or right as the form has it."""
    if session.item is not None:
        pair = session.item.pair.pair
        session.accept(
            own_words(form, "question", pair.question), own_words(form, "answer", pair.answer)
        )


def answer_review(
    studio: Studio, sessions: ReviewSessions, request: Request, form: FormData
) -> Response:
    """What the reviewer says of the pair that he was shown."""
    what, reviewer = request.path_params["what"], reviewer_of(request)
    pair, why, paper = field(form, "pair"), field(form, "why"), paper_of(studio, form)
    if what == "reject" and not why:
        raise UsageError("why? go back and choose a reason first (keys 1 to 6)")
    acts: dict[str, Callable[[ReviewSession], None]] = {
        "accept": lambda session: accept_item(session, form),
        "reject": lambda session: session.reject(why),
        "skip": ReviewSession.skip,
    }

    def do() -> str:
        if what in acts:
            return sessions.answer(reviewer, paper, pair, acts[what])
        if what == "undo":
            return sessions.undo(reviewer, paper)
        sessions.begin(reviewer, paper)
        return ""

    said = studio.records.run(do)
    return studio.redirect(request, "review", said, paper=paper if studio.papers else "")


def paper_of(studio: Studio, values: Mapping[str, Any]) -> str:
    """The newspaper of a session: that of the address, else the first one, else the archive."""
    return studio.paper_of(values) or (studio.papers or (studio.archive,))[0]


def reviewer_of(request: Request) -> str:
    """Whose labels these are."""
    return unquote(request.cookies.get(REVIEWER, ""))[:64] or "me"


def own_words(form: FormData, name: str, original: str) -> str:
    """A text as a person has left it in a form; "" where it still is the pair's.

    A form sends lines that end as Windows ends them, and a page shows no control characters.

    Raises:
        UsageError: nothing is left of it, or it is too long.
    """
    text = field(form, name, LONGEST + 1).replace("\r\n", "\n")
    if not text or len(text) > LONGEST:
        raise UsageError(
            f"a pair needs a question and an answer, of up to {LONGEST:,} characters: go back"
        )
    return "" if text == printable(original).replace("\r\n", "\n").strip() else text
