"""How an address is asked for, and what of it tells two pages apart. Pure functions.

Asked for as it was written, as browsers do (https://url.spec.whatwg.org, by way of w3lib): escapes
stay what they are, a query goes out in the page's charset. Its identity is another matter: sessions
and campaigns make a thousand addresses of one page.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import SplitResult, quote, unquote, unquote_to_bytes, urljoin, urlsplit

SAFE = "/:;,@&=+$!*'()~-._"
_PLAIN = re.compile(r"[A-Za-z0-9/?&=._~:;,@+$!*()%-]*").fullmatch
_ESCAPED_SLASH = re.compile("%2f", re.I)

# Who came from where, and who is who: by the names that the makers of such things give.
_SESSION_NAMES = (
    "phpsessid|jsessionid|sessionid|session_id|sessid|sess_id|aspsessionid[a-z]*|asp.net_sessionid"
    "|cfid|cftoken|oscsid|zenid|phpsess|mysid|xtsession|wicket:sessionid|sessionkey"
)
_TRACKING_NAMES = (
    r"(?:utm_\w+|fbclid|gclid|gclsrc|dclid|gbraid|wbraid|gad_source|gad_campaignid|msclkid|yclid"
    r"|ysclid|twclid|ttclid|li_fat_id|igshid|igsh|epik|srsltid|mc_cid|mc_eid|mkt_tok|_hsenc|_hsmi"
    r"|__hs\w+|hsctatracking|hsa_\w+|vero_id|vero_conv|oly_anon_id|oly_enc_id|rb_clickid|wickedid"
    r"|_ga|_gl|_gac|_openstat|pk_(?:campaign|kwd|source|medium|content|cid|vid)"
    r"|piwik_(?:campaign|kwd)|mtm_\w+|matomo_\w+|at_(?:campaign|medium|custom\d|bbc_\w+|link_\w+)"
    r"|xtor|wt_(?:mc|zmc)|ns_(?:campaign|mchannel|source|linkname|fee)|s_cid|cmpid|ito|icid"
    r"|__twitter_impression|ref_src|ref_url|guccounter|guce_referrer(?:_sig)?|tblci|obref|fb_action_\w+"
    r"|fb_source|yptr|spm|dicbo|cvid|ocid|amp_js_v|usqp|sc_campaign|trk_\w+|"
    + _SESSION_NAMES.replace(".", r"\.")
    + ")"
)
_TRACKING = re.compile(_TRACKING_NAMES, re.I).fullmatch
_SHORT_NAMES = ("s", "sid", "sess", "session", "sessionhash", "token", "ticket")
_MAY_BE_OF_A_VISIT = re.compile(
    rf"(?:^|&)(?:{_TRACKING_NAMES}|{'|'.join(_SHORT_NAMES)})(?:=|&|$)", re.I
).search
_SESSION_VALUE = re.compile(r"(?=[a-z]*\d)(?=\d*[a-z])[a-z0-9]{26,}", re.I).fullmatch
_PATH_SESSION = re.compile(rf"(?:;|%3b)(?:{_SESSION_NAMES}|sid)=[^/;?]*", re.I)
_COOKIELESS = re.compile(r"/\((?:[A-Z]\([\w-]*\))+\)(?=/)")  # ASP.NET's sessions


def without_session(path: str, query: str, keep: Collection[str] = ()) -> tuple[str, str]:
    """Path and query without what belongs to a visit and not to the page.

    Args:
        keep: names of parameters, in lower case, that a profile wants.
    """
    if ";" in path or "%3" in path:
        path = _PATH_SESSION.sub("", path)
    if "/(" in path:
        path = _COOKIELESS.sub("", path)
    if not query or not _MAY_BE_OF_A_VISIT(query):
        return path, query
    return path, "&".join(each for each in query.split("&") if not _is_of_a_visit(each, keep))


def _is_of_a_visit(parameter: str, keep: Collection[str]) -> bool:
    name, _, value = parameter.partition("=")
    name = name.lower()
    if name in keep:
        return False
    if _TRACKING(name):
        return True
    return name in _SHORT_NAMES and _SESSION_VALUE(value) is not None


def as_written(path: str, query: str, charset: str = "utf-8") -> str:
    """Path and query as a browser sends them.

    Args:
        charset: of the page that the link stands on. The query goes out in it, the path never.
    """
    address = f"{path}?{query}" if query else path
    if _PLAIN(address):
        return address
    if not query.isascii():
        query = "".join(char if char.isascii() else _escaped(char, charset) for char in query)
    from w3lib.url import safe_url_string

    return str(safe_url_string(f"http://x{path}?{query}" if query else f"http://x{path}"))[8:]


def _escaped(char: str, charset: str) -> str:
    """A character of a query; one that the charset lacks goes out as the name that HTML has."""
    try:
        return quote(char.encode(charset if not charset.startswith("utf-16") else "utf-8"))
    except UnicodeEncodeError:
        return quote(f"&#{ord(char)};", safe="")
    except LookupError:
        return quote(char)


def forward_slashes(url: str) -> str:
    r"""An address as browsers read it: in its path `\` is `/`."""
    if "\\" not in url:
        return url
    end = min(at for at in (url.find("?"), url.find("#"), len(url)) if at >= 0)
    return url[:end].replace("\\", "/") + url[end:]


def joined(base: str, address: str) -> str:
    """The full address of a link on the page `base`; "" for one that cannot be read."""
    try:
        return urljoin(base, address)
    except ValueError:  # such as a bracket that is no IPv6 address
        return ""


def joined_parts(base: str, address: str) -> SplitResult:
    """The parts of the full address of a link on the page `base`.

    Raises:
        ValueError: it cannot be read, such as a bracket that is no IPv6 address.
    """
    ordinary = address[:1] == "/" != address[1:2] and "/." not in address and ";" not in address
    if ordinary and _PLAIN(address):  # most links are: nothing to work out
        page = urlsplit(base)
        path, _, query = address.partition("?")
        return SplitResult(page.scheme, page.netloc, path, query, "")
    return urlsplit(urljoin(base, address))


def sendable(url: str) -> str:
    """A full address without its fragment, every character of it one that may be sent."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{as_written(parts.path, parts.query)}"


def readable(escaped: str, codec: str) -> str:
    """An escaped text as people read it: in UTF-8 or the codec; what is neither, byte by byte.

    Args:
        codec: "" to lose what is not UTF-8.
    """
    if "%" not in escaped:
        return escaped
    if not codec:
        return unquote(escaped)
    raw = unquote_to_bytes(escaped)
    for name in ("utf-8", codec):
        try:
            return raw.decode(name)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")


def pairs(query: str) -> list[tuple[str, str]]:
    """Names and values of a query as they are written; a name without `=` has the value ""."""
    parted = [each.partition("=") for each in query.split("&") if each]
    return [(name, value) for name, _, value in parted]


def parameters(query: str, codec: str) -> dict[str, str]:
    """The values of a query by their names, both readable; the last of a name counts."""
    if not query:
        return {}
    plain = query.replace("+", " ")
    return {readable(name, codec): readable(value, codec) for name, value in pairs(plain)}


def was_altered(path: str, query: str) -> bool:
    """Did earlier versions ask for another address than the one that was written?"""
    if _ESCAPED_SLASH.search(path):
        return True
    try:
        unquote_to_bytes(path + query).decode()
    except UnicodeDecodeError:
        return True
    return False


def normal_path(path: str) -> str:
    """The one spelling of a path; an escaped slash is no slash, and bytes stay what they are."""
    if "%" not in path:
        return quote(path, safe=SAFE)
    return "%2F".join(
        quote(unquote_to_bytes(part), safe=SAFE) for part in _ESCAPED_SLASH.split(path)
    )


def former_path(path: str) -> str:
    """The spelling that archives made before this knew: slashes run together, bytes are lost."""
    return quote(unquote(path), safe=SAFE)


def normal_query(query: str) -> str:
    return quote(query, safe=SAFE + "%?")
