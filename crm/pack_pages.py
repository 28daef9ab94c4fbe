"""The page behind a reply pack's link: opening it shows a button, pressing it fetches the file.

Mail scanners open links; a file is fetched by POST only, so what they open is neither taken nor counted. Whatever is
wrong with a link, the answer is the same.
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from crm import packs


@never_cache
@require_http_methods(["GET", "POST"])
def pack_page(request: HttpRequest, token: str) -> HttpResponse:
    """Show the pack of a link, or send it."""
    now = timezone.now()
    try:
        pack = packs.by_token(token, now)
        if request.method == "POST":
            return packs.response(pack, packs.fetch(pack, actor="the person, by link", now=now))
    except packs.NoPack:
        return render(request, "zhiyin/rights/pack_link.html", {"pack": None}, status=404)
    return render(request, "zhiyin/rights/pack_link.html", {"pack": pack})
