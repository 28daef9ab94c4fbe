"""Who it is, asked again before what is sensitive: personal data in clear, what leaves the house, rights and keys.

Asked are those whose last login or proof lies longer back than ``ACCOUNT_REAUTHENTICATION_TIMEOUT``: a stolen cookie,
or a screen that was left open, is worth minutes. Permissions are looked at before, so nobody proves who they are only
to be sent away.
"""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.reauthentication import STATE_SESSION_KEY, is_reauthentication_required
from allauth.core.exceptions import ImmediateHttpResponse, ReauthenticationRequired
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils.http import urlencode


def ask_again(request: HttpRequest, *, keep: bool = True) -> None:
    """Go on only minutes after a login or a new proof; what was posted waits in the session unless ``keep`` is false.

    It must not wait there when it holds a password or a file: the form is opened anew then.
    """
    if not is_reauthentication_required(request, app="crm"):
        return
    request.session.pop(STATE_SESSION_KEY, None)  # what was posted and given up must not be done by a later proof
    methods = get_adapter().get_reauthentication_methods(request.user)
    if keep or request.method != "POST" or not methods:
        raise ReauthenticationRequired
    raise ImmediateHttpResponse(redirect(f"{methods[0]['url']}?{urlencode({'next': request.get_full_path()})}"))


class AsksAgain:
    """An admin page of accounts, groups or keys: whoever may change one shows first who it is."""

    def changeform_view(self, request: HttpRequest, object_id: str | None = None, *rest: Any, **facts: Any) -> Any:
        if self.has_add_permission(request) if object_id is None else self.has_change_permission(request):  # type: ignore[attr-defined]
            ask_again(request, keep=False)
        return super().changeform_view(request, object_id, *rest, **facts)  # type: ignore[misc]

    def delete_view(self, request: HttpRequest, object_id: str, *rest: Any, **facts: Any) -> Any:
        if self.has_delete_permission(request):  # type: ignore[attr-defined]
            ask_again(request)
        return super().delete_view(request, object_id, *rest, **facts)  # type: ignore[misc]

    def changelist_view(self, request: HttpRequest, *rest: Any, **facts: Any) -> Any:
        if request.method == "POST" and self.has_view_permission(request):  # type: ignore[attr-defined]
            ask_again(request)  # an action on many rows
        return super().changelist_view(request, *rest, **facts)  # type: ignore[misc]
