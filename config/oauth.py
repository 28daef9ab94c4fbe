"""Where API clients get and give back their tokens; answers have the shape of RFC 6749, which OAuth libraries read."""

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from oauth2_provider import views

from config.throttles import AddressThrottle

app_name = "oauth2_provider"


@method_decorator(csrf_exempt, name="dispatch")
class TokenView(views.TokenView):  # type: ignore[misc]
    """Tokens for client id and secret, not more often than the rate ``token`` allows one address.

    Checking a secret takes time and memory on purpose, so without a limit anybody could keep the processes busy.
    """

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        throttle = AddressThrottle()
        if throttle.allow_request(request):
            answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)
            return answer
        said = {"error": "slow_down", "error_description": "Too many requests for tokens from this address."}
        return JsonResponse(said, status=429, headers={"Retry-After": str(int(throttle.wait() or 1))})


urlpatterns = [
    path("token/", TokenView.as_view(), name="token"),
    path("revoke_token/", views.RevokeTokenView.as_view(), name="revoke-token"),
]
