"""Which pages of other origins may read answers: those that the settings name, and only what is open to persons."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import patch_vary_headers

from crm.api.resources import Resource

# Browsers ask with OPTIONS, without the token, before they send an Authorization header to another origin.
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-None-Match",
    "Access-Control-Max-Age": "600",
}


class ForBrowsers(Resource):
    """A resource with actions that person tokens open; pages from ``API_BROWSER_ORIGINS`` may read those."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        origin = request.headers.get("Origin")
        open_to_persons = not self.purposes.keys().isdisjoint(self.action_map.values())
        if origin is None or not open_to_persons or origin not in settings.API_BROWSER_ORIGINS:
            return super().dispatch(request, *args, **kwargs)
        asked_first = request.method == "OPTIONS"
        answer = (
            HttpResponse(status=204, headers=PREFLIGHT) if asked_first else super().dispatch(request, *args, **kwargs)
        )
        answer.headers["Access-Control-Allow-Origin"] = origin
        answer.headers["Access-Control-Expose-Headers"] = "ETag, Retry-After"
        patch_vary_headers(answer, ["Origin"])
        return answer
