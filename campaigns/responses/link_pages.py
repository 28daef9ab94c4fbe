"""The addresses in messages: a link leads on, a picture shows nothing; both change nothing but the log."""

from base64 import b64decode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe

from campaigns.responses import tracking

PIXEL = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")  # one transparent point
# What asks again must come to us again, and the next site need not know which message somebody comes from.
HEADERS = {
    "Cache-Control": "no-store, private",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}
WANTED = ("user-agent", *tracking.PURPOSE_HEADERS)


class Onward(HttpResponseRedirect):
    allowed_schemes = ["http", "https"]


def _asked(request: HttpRequest) -> tracking.Asked:
    return tracking.Asked(method=str(request.method), headers={name: request.headers.get(name, "") for name in WANTED})


@require_safe
def link(request: HttpRequest, token: str) -> HttpResponse:
    """Lead on to where a link leads; whatever is wrong with a token, the answer is the same."""
    url = tracking.follow(token, _asked(request), timezone.now())
    if url is None:
        page = render_to_string("zhiyin/link/gone.html", request=request)
        return HttpResponse(page, status=404, headers=HEADERS)
    return Onward(url, headers=HEADERS)


@require_safe
def picture(request: HttpRequest, token: str) -> HttpResponse:
    """Show a point that nobody sees; the same for a token that is not ours."""
    tracking.seen(token, _asked(request), timezone.now())
    return HttpResponse(PIXEL, content_type="image/gif", headers=HEADERS)


urlpatterns = [
    path("l/<str:token>", link, name="campaigns-link"),
    path("o/<str:token>", picture, name="campaigns-open"),
]
