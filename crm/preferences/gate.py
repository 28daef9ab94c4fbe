"""Who gets to a preference page, and what every answer from it has in common.

The link is the key: nothing here reads or sets a cookie, so there is no session that another site could misuse, and
who does not know the link cannot post. Behind that stands a second check: a browser that says where a post comes from
(``Sec-Fetch-Site``, or else ``Origin``) must say from here. Links that open nothing, for whatever reason, get the one
answer of :func:`dead`, after the same work.
"""

from collections.abc import Callable
from datetime import datetime
from time import perf_counter, sleep, time

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from rest_framework.throttling import BaseThrottle

from crm import preference_links, rates
from crm.models import Profile
from crm.preference_links import Opened
from crm.preferences.shown import LANGUAGES

LARGEST = 20_000  # bytes of a form; the longest text in one is 2,000 signs
# Nothing but our own style sheet and pictures; forms go nowhere else, and no other site may show the page in a frame.
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",  # the address is the key
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
SAME_TIME = 0.02  # seconds that every answer to a link that opens nothing takes
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

View = Callable[[HttpRequest, str, Opened], HttpResponse]
Read = Callable[[str, datetime], Opened | None]


def refusal(request: HttpRequest, methods: tuple[str, ...], *, own_pages_only: bool) -> HttpResponse | None:
    """Answer what no link is needed to refuse: the method, the size and form of a body, another site's page."""
    if request.method not in methods:
        return _said(405, _("This address does not know that."), Allow=", ".join(methods))
    return _refused_form(request, own_pages_only=own_pages_only) if request.method == "POST" else None


def _refused_form(request: HttpRequest, *, own_pages_only: bool) -> HttpResponse | None:
    length = request.headers.get("Content-Length", "")
    if not length.isdecimal():
        return _said(411, _("Say how long the form is."))
    if int(length) > LARGEST:
        return _said(413, _("The form is too large."))
    if request.content_type not in FORMS:
        return _said(415, _("Send a form."))
    if own_pages_only and not _from_here(request):
        return _said(403, _("This was sent from another site's page, and nothing was changed."))
    return None


def opened(request: HttpRequest, token: str, view: View, read: Read = preference_links.read) -> HttpResponse:
    """Answer with the page of the link's person in the language she reads, or with the one answer of dead links."""
    begun = perf_counter()
    found = read(token, timezone.now())
    name, rate = (f"link.{found.person.id}", "link") if found else (f"wrong.{_network_address(request)}", "wrong")
    wait = rates.count(f"preferences.{name}", settings.PREFERENCE_RATES[rate], time())
    language = language_of(request, found)
    with translation.override(language):
        if found and wait is None:
            return finish(view(request, token, found))
        answer = dead(language) if wait is None else _waits(wait)
        if found:
            return answer
    # To find a row takes a fifth of a millisecond longer than to find none, and that can be measured from outside.
    sleep(max(0.0, begun + SAME_TIME - perf_counter()))
    return answer


def _waits(seconds: int) -> HttpResponse:
    return _said(429, _("Too many requests. Please try again in a minute."), **{"Retry-After": str(seconds)})


def dead(language: str) -> HttpResponse:
    """Answer for every link that opens nothing: unknown, forged, expired, revoked, or of somebody who was erased."""
    return page("dead.html", {"language": language}, status=404)


def page(template: str, context: dict[str, object], status: int = 200) -> HttpResponse:
    """Return a page of ours, without what a log-in would add to it."""
    shared = {"stylesheet": static("zhiyin/preferences.css"), "icon": static("zhiyin/icon.svg"), "languages": LANGUAGES}
    return finish(HttpResponse(render_to_string(f"zhiyin/preferences/{template}", shared | context), status=status))


def finish(answer: HttpResponse) -> HttpResponse:
    for name, value in (HEADERS | {"Content-Language": translation.get_language() or "en"}).items():
        answer.headers[name] = value
    return answer


def language_of(request: HttpRequest, found: Opened | None) -> str:
    """Return the language: what the address says, what we know of the person, what the browser prefers."""
    asked = request.GET.get("lang", "")
    if asked in LANGUAGES:
        return asked
    if found and found.guardian:
        return found.guardian.language
    known = Profile.objects.filter(pk=found.person.id).values_list("language", flat=True).first() if found else ""
    return _ours(known or "") or _ours(translation.get_language_from_request(request)) or LANGUAGES[0]


def _ours(code: str) -> str:
    """Return which of our two languages is meant: every Chinese is read as the simplified that we have."""
    return {"zh": "zh-hans", "en": "en"}.get(code.lower().replace("_", "-").partition("-")[0], "")


def _from_here(request: HttpRequest) -> bool:
    site = request.headers.get("Sec-Fetch-Site", "")
    if site:
        return site == "same-origin"
    # Our own pages say "null", because they send no referrer; then there is the link itself, which nobody else knows.
    origin = request.headers.get("Origin", "null")
    return origin in ("null", f"{request.scheme}://{request.get_host()}")


def _network_address(request: HttpRequest) -> str:
    return str(BaseThrottle().get_ident(request))  # type: ignore[arg-type]  # it reads the same headers of any request


def _said(status: int, text: str, **headers: str) -> HttpResponse:
    return finish(HttpResponse(text + "\n", status=status, content_type="text/plain; charset=utf-8", headers=headers))
