"""Where redirects lead: on to the same page, to another that has an entry of its own, or out."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import unquote, urlsplit

from msgspec.structs import replace

from crawler import records
from crawler.addresses import forward_slashes, joined, sendable
from crawler.discovery.links import SMALL_BYTES
from crawler.fetch.block_pages import SHORT_TITLE_TEXT, visible_length
from crawler.frontier.identity import LOOP
from crawler.records import FetchOutcome, HttpResponse, PageClaim, part_of
from crawler.scope import CrawlScope

MAX_REDIRECTS = 10
REFRESH_S = 10  # a page that stays longer is there to be read
_NOT_SHOWN = re.compile(rb"<noscript\b.*?</noscript\s*>|<!--.*?-->", re.I | re.S)
_REFRESH = re.compile(rb"""<meta\b(?=[^>]*\shttp-equiv\s*=\s*["']?refresh\b)[^>]*>""", re.I)
_CONTENT = re.compile(
    rb"""\scontent\s*=\s*["']?\s*(\d*)(?:\.\d*)?\s*[;,]?\s*(?:url\s*=)?\s*["']?([^"'>]+)""", re.I
)


class RedirectPath:
    """The redirects behind us, with what they asked to be told again: some sites lead everybody in
    a circle who does not say that. It is forgotten with the page."""

    def __init__(self, claim: PageClaim, url: str, site: CrawlScope) -> None:
        self.requests = 0
        self._claim = claim
        self._site = site
        self._turns = 0
        self._seen = {(url, "")}
        self._cookies: dict[str, dict[str, str]] = {}

    def cookies_for(self, url: str) -> str:
        own = self._cookies.get(urlsplit(url).netloc, {}) if self._cookies else {}
        return "; ".join(f"{name}={value}" for name, value in own.items())

    def note_cookies(self, url: str, response: HttpResponse) -> None:
        if cookies := response.cookies:
            self._cookies.setdefault(urlsplit(url).netloc, {}).update(cookies)

    def decide(self, target: str) -> FetchOutcome | None:
        """The outcome if a redirect ends here; None to follow it, which counts as done."""
        outcome = self._decide(target)
        if outcome is None:
            self._turns += 1
            self._seen.add((target, self.cookies_for(target)))
        return outcome

    def _decide(self, target: str) -> FetchOutcome | None:
        claim = self._claim
        if (target, self.cookies_for(target)) in self._seen:
            return failed(claim, LOOP, self.requests)
        if self._turns >= MAX_REDIRECTS:
            return failed(claim, "redirect-many", self.requests)
        if not self._site.in_scope(target):
            return left_out(claim, "redirect-out", self.requests)
        if records.is_list(claim.kind) or claim.reason == LOOP:
            return None
        link = self._site.classify(target, issue=claim.issue)
        if link is not None:
            if link.key in self._keys():
                return None
            # another page of ours: it has an entry of its own
            return replace(left_out(claim, "moved", self.requests), links=(link,))
        if not claim.kind or claim.is_part or unquote(claim.url) in unquote(urlsplit(target).query):
            return None  # a stop on the way, which knows where we want to go
        return left_out(claim, "redirect-out", self.requests)

    def _keys(self) -> set[str]:
        """The page's key, and the one that its address has now."""
        link = self._site.classify(self._claim.url, issue=self._claim.issue)
        own = {self._claim.key, part_of(self._claim.key)[0]}
        return own | {link.key} if link else own

    def ended_at(self, url: str) -> FetchOutcome | None:
        """The outcome if the way has led to no page of ours."""
        claim = self._claim
        if self._turns and claim.kind and not claim.is_part and self._site.classify(url) is None:
            return left_out(claim, "redirect-out", self.requests)
        return None


def refresh_target(body: bytes, url: str) -> str | None:
    """Where a page that has no text to read sends its readers by itself, as a redirect does."""
    if len(body) > SMALL_BYTES or (b"efresh" not in body and b"EFRESH" not in body):
        return None
    found = _REFRESH.search(_NOT_SHOWN.sub(b"", body))
    content = _CONTENT.search(found[0]) if found else None
    if content is None or int(content[1] or 0) > REFRESH_S:
        return None
    target = joined(url, forward_slashes(unescape(content[2].decode("utf-8", "replace")).strip()))
    try:
        target = sendable(target) if target else url
    except ValueError:
        return None
    return target if target != url and visible_length(body) < SHORT_TITLE_TEXT else None


def failed(claim: PageClaim, reason: str, requests: int, status: int = 0) -> FetchOutcome:
    return FetchOutcome(claim.id, "failed", reason, status=status, requests=requests)


def left_out(claim: PageClaim, reason: str, requests: int) -> FetchOutcome:
    return FetchOutcome(claim.id, "left_out", reason, requests=requests)
