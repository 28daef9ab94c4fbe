"""How staff get in: nobody signs up, secrets are sealed, and what is sensitive asks who it is again."""

import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any
from unicodedata import normalize

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.totp.views import ActivateTOTPView
from allauth.mfa.utils import is_mfa_enabled
from allauth.mfa.webauthn.views import AddWebAuthnView
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from crm.encryption import open_for_house, seal_for_house

SEALED_AS = b"mfa|authenticator|secret"
# What a session may open before its second factor: the pages that ask for it or set it up, and what is nobody's.
OPEN_NAMES = ("account_", "mfa_")
OPEN_VIEWS = frozenset({"set_language", "admin:logout", "admin:jsi18n", "health"})
# These addresses ask for a token of their own, or are public; a session opens nothing there.
OPEN_PATHS = ("/api/", "/v1/", "/o/", "/p/", "/static/")


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Accounts are made in the admin."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request) or "unknown"

    def is_reauthentication_required(self, *, app: str, **facts: Any) -> bool:
        """Ask again who it is, unless that was shown, by a login or since, within the last minutes."""
        return _seconds_since_proof(self.request) >= settings.ACCOUNT_REAUTHENTICATION_TIMEOUT


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Seals the secrets of authenticator apps: a copy of the database opens no account."""

    def encrypt(self, text: str) -> str:
        return b64encode(seal_for_house(text.encode(), SEALED_AS)).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return open_for_house(b64decode(encrypted_text), SEALED_AS).decode()


def client_address(request: HttpRequest) -> str:
    """Return the address of who asks, as the last proxy of ours saw it; what the client claims is not believed."""
    direct = str(request.META.get("REMOTE_ADDR", ""))
    claimed = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    if not settings.NUM_PROXIES or not claimed:
        return direct
    return str(claimed[-min(settings.NUM_PROXIES, len(claimed))])


def attempted_name(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str:
    """Return the name of a login that is tried; in one spelling, or each would have attempts of its own."""
    given = (credentials or {}).get("username") or request.POST.get("login", "")
    return normalize("NFKC", str(given)).strip().casefold()[:255]


def _seconds_since_proof(request: HttpRequest) -> float:
    proofs = get_authentication_records(request, request.user)
    return time.time() - max((proof["at"] for proof in proofs), default=0.0)


class SecondFactorMiddleware:
    """Leads staff without a second factor to set one up, and opens nothing else to them until they have.

    A session counts when it gave a second factor itself: one that was opened before the account had any does not.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: object) -> HttpResponseBase | None:
        if not settings.MFA_REQUIRED or settings.SESSION_COOKIE_NAME not in request.COOKIES or _is_open(request):
            return None
        user = request.user
        if not user.is_authenticated or any(
            proof["method"] == "mfa" for proof in get_authentication_records(request, user)
        ):
            return None
        if is_mfa_enabled(user):
            address = reverse("mfa_reauthenticate")
        else:
            address = reverse("mfa_activate_totp")
            messages.info(request, _("Before you go on, set up a second factor: a code from an app on your phone."))
        back = request.get_full_path() if request.method == "GET" else reverse("admin:index")
        return redirect(f"{address}?{urlencode({'next': back})}")


def _is_open(request: HttpRequest) -> bool:
    match = request.resolver_match
    name = match.view_name if match else ""
    return name.startswith(OPEN_NAMES) or name in OPEN_VIEWS or request.path.startswith(OPEN_PATHS)


class _Proven:
    """Setting a second factor up is giving it: the session need not be asked for it again at once."""

    request: HttpRequest

    def form_valid(self, form: Any) -> HttpResponse:
        answer: HttpResponse = super().form_valid(form)  # type: ignore[misc]
        record_authentication(self.request, self.request.user, "mfa", reauthenticated=True)
        return answer


class SetUpApp(_Proven, ActivateTOTPView):  # type: ignore[misc]
    """An authenticator app."""

    template_name = "account/second_factor.html"


class SetUpKey(_Proven, AddWebAuthnView):  # type: ignore[misc]
    """A passkey or security key."""

    template_name = "account/security_key.html"

    def get_form(self, form_class: Any = None) -> Any:
        form = super().get_form(form_class)
        form.fields["name"].label = _("Name of the key")
        return form


def minutes_until_asked_again(request: HttpRequest) -> dict[str, int]:
    """Tell the page that asks again who it is for how long it will not ask once more; a context processor."""
    return {"again_minutes": settings.ACCOUNT_REAUTHENTICATION_TIMEOUT // 60}
