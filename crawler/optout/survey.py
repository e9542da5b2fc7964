"""Look for a site's wishes: robots.txt, one page, and `/.well-known/tdmrep.json`."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urljoin

from crawler.asking import Asker
from crawler.client import Refused
from crawler.decode import as_utf8
from crawler.html import parse
from crawler.optout import signals
from crawler.optout.signals import Signal
from exchange.errors import UserError

TDMREP = "/.well-known/tdmrep.json"
_AWAY = ("connect", "timeout", "broken")
MAX_TDMREP = 256 * 1024


async def survey(asker: Asker, urls: Sequence[str]) -> tuple[Signal, ...]:
    """All wishes against training that concern these addresses, each once, in a fixed order.

    Three requests at most: robots.txt, the first address, and tdmrep.json. What cannot be had
    says nothing, but a site that cannot be reached has not been looked at.

    Raises:
        UserError: the site cannot be reached.
    """
    url = urls[0]
    found = set(signals.from_robots(await asker.robots(url), urls))
    try:
        asked = await asker.get(url)
    except Refused as refusal:
        if refusal.reason in _AWAY:
            raise UserError(f"cannot reach {url} ({refusal.reason})") from None
    else:
        found |= set(signals.from_headers(asked.got.headers.items() if asked.got.headers else ()))
        found |= set(signals.from_page(parse(as_utf8(asked.got.body, asked.got.charset))))
    try:
        told = await asker.get(urljoin(url, TDMREP), html=False, limit=MAX_TDMREP)
    except Refused:
        pass
    else:
        for address in urls:
            found |= set(signals.from_tdmrep(told.got.body, address))
    return tuple(sorted(found))
