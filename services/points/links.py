"""Links that members hand in: which are taken, and which two mean the same page. None of them is ever fetched here."""

import re
from hashlib import sha256
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from fleet.problems import invalid

LONGEST = 2048
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})")
# What newsletters and networks add to a link says who shared it, not what it leads to.
_TRACKING = re.compile(r"utm_\w+|fbclid|gclid|dclid|msclkid|igshid|mc_[ce]id|trk\w*|ref_src|si|share_id|rcm")
_LINKEDIN_HOST = re.compile(r"(?:[a-z]{2,3}\.)?linkedin\.com")
_LINKEDIN_POST = re.compile(
    r"/posts/[^/]+/?|/pulse/[^/]+/?|(?:/embed)?/feed/update/urn:li:(?:activity|share|ugcPost):[0-9]+/?"
)
_LINKEDIN_ID = re.compile(r"(?:activity|share|ugcPost)[-:]([0-9]{10,25})")


def checked(url: str, activity: str) -> str:
    """The link with its host in ASCII; InvalidFields for one that is not taken for `activity`.

    Only https, no user name in it, a host with a name (no address), and for `linkedin_post` a post on linkedin.com.
    """
    url = url.strip()
    if not 1 <= len(url) <= LONGEST or any(ord(c) <= 32 or c in "\\\x7f" for c in url):
        raise invalid("/url", f"must be a link of at most {LONGEST} characters, without spaces")
    parts = _parts(url)
    if activity == "linkedin_post":
        host = (parts.hostname or "").removeprefix("www.")
        if (
            parts.port is not None
            or not _LINKEDIN_HOST.fullmatch(host)
            or not _LINKEDIN_POST.fullmatch(unquote(parts.path))
        ):
            raise invalid("/url", "must be the link of a post on linkedin.com (its menu has: copy link to post)")
    return urlunsplit(parts)


def digest(url: str) -> str:
    """What two links to the same page have in common, as a digest; of a link that `checked` gave."""
    return "url:" + sha256(_page(urlsplit(url)).encode()).hexdigest()


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").rstrip(".").encode("idna").decode()
    except ValueError as error:
        raise invalid("/url", "is not a link") from error
    if parts.scheme != "https":
        raise invalid("/url", "must begin with https://")
    if parts.username is not None or parts.password is not None:
        raise invalid("/url", "must not hold a user name or password")
    if not _HOST.fullmatch(host):
        raise invalid("/url", "must name a host, such as www.example.org")
    return parts._replace(netloc=host if port in (None, 443) else f"{host}:{port}")


def _page(parts: SplitResult) -> str:
    host = (parts.netloc).removeprefix("www.")
    path = quote(unquote(parts.path), safe="/:@-._~!$&'()*+,;=").rstrip("/")
    if _LINKEDIN_HOST.fullmatch(host):
        # Every form of the link to a post carries the post's number; the rest is a title that anybody may change.
        number = _LINKEDIN_ID.search(unquote(parts.path))
        return f"linkedin.com/post/{number.group(1)}" if number else f"linkedin.com{path.lower()}"
    query = [(name, value) for name, value in parse_qsl(parts.query, True) if not _TRACKING.fullmatch(name.lower())]
    return f"{host}{path}?{urlencode(sorted(query))}"
