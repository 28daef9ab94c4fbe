"""Where the platforms call: ``/hooks/wechat/<key of the account>/``. Kept, answered, and only then worked on.

Five seconds is what the platform waits for. The answer is one constant for all that is taken and another for all that
is not, so whoever tries learns nothing; the platform never sees an error of ours that it would show to a follower.
"""

import logging
from uuid import UUID

from django.core.exceptions import RequestDataTooBig
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from campaigns.channels.wechat.inbound import MOST_BYTES, Notice, Unreadable, notice
from campaigns.models import ChannelAccount
from campaigns.wechat import answers, callbacks, inbound
from campaigns.wechat.callbacks import Called, NotGenuine

log = logging.getLogger(__name__)

TAKEN = b"success"
PROVIDERS = ("wechat_official", "wechat_mini", "wecom")


@csrf_exempt
@require_http_methods(["GET", "POST"])
def hook(request: HttpRequest, key: UUID) -> HttpResponse:
    """Prove that the address is ours (GET), or take a message (POST)."""
    try:
        account = ChannelAccount.objects.filter(hook=key, provider__in=PROVIDERS).first()
        if account is None:
            return _refused()
        return _answered(request, account)
    except DatabaseError:
        log.exception("A callback of WeChat could not be kept; the platform tries again.")
        return HttpResponse(b"", status=503, content_type="text/plain")


def _answered(request: HttpRequest, account: ChannelAccount) -> HttpResponse:
    now = timezone.now()
    try:
        called = Called.of(account, request.GET.dict())
        if request.method == "GET":
            return _said(callbacks.echoed(called, request.GET.get("echostr", ""), now).encode())
        body = request.read(MOST_BYTES + 1)
        told = notice(callbacks.opened(called, body, now), now)
    except (NotGenuine, Unreadable, UnreadablePostError, RequestDataTooBig) as error:
        # Never what was sent: openids stand in it.
        why = error.check if isinstance(error, NotGenuine) else type(error).__name__
        log.warning("A callback for the channel account %s was not taken: %s.", account.pk, why)
        return _refused()
    if not callbacks.was_used(called):
        inbound.take(account, told, now)
        callbacks.use_up(called)
    return _said(_reply(called, told))


def _reply(called: Called, told: Notice) -> bytes:
    """Return what the platform shows the person at once, or the word that nothing is to be shown."""
    said = answers.at_once(called.account, told)
    return called.seal(said) if said else TAKEN


def _said(body: bytes) -> HttpResponse:
    return HttpResponse(body, content_type="text/plain; charset=utf-8", headers={"X-Content-Type-Options": "nosniff"})


def _refused() -> HttpResponse:
    return HttpResponse(b"", status=403, content_type="text/plain")
