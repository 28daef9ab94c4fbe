"""The product's addresses, and a page that fails with what was posted to it."""

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from config import urls
from tests.config.canary_house.failures import FAILURES


@csrf_exempt
def fail(request: HttpRequest, way: str, word: str) -> HttpResponse:
    """Fail in the way that was asked for."""
    FAILURES[way](request.POST["name"])
    return HttpResponse(word)


urlpatterns = [path("fail/<str:way>/<str:word>/", fail), *urls.urlpatterns]
handler500 = urls.handler500
