"""Where providers tell what became of messages: ``/hooks/<key of the account>/``, by POST alone.

The answer is the same constant for all that is taken, and one other for an unknown address and for what is not genuine:
whoever tries learns nothing. Reading changes nothing: scanners and curious browsers only ever get *not allowed*.
"""

import logging
from uuid import UUID

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from campaigns.channels import ChannelError, adapter
from campaigns.models import ChannelAccount
from campaigns.responses import feedback

logger = logging.getLogger(__name__)

MOST_BYTES = 256 * 2**10
# Alibaba Cloud wants ``code``, Tencent Cloud ``result``; the others look at the status alone.
TAKEN = b'{"code": 0, "msg": "ok", "result": 0, "errmsg": "OK"}'
REFUSED = b'{"code": 404, "msg": "not found", "result": 404, "errmsg": "not found"}'


@csrf_exempt
@require_POST
def hook(request: HttpRequest, key: UUID) -> HttpResponse:
    """Take a provider's callback."""
    try:
        body = request.read(MOST_BYTES + 1)
    except (UnreadablePostError, RequestDataTooBig):
        return _answer(REFUSED, 400)
    if len(body) > MOST_BYTES:
        return _answer(REFUSED, 413)
    account = ChannelAccount.objects.filter(hook=key).first()
    if account is None:
        return _answer(REFUSED, 404)
    now = timezone.now()
    try:
        told = adapter(account).told(account, dict(request.headers), body, now)
    except ChannelError as error:
        # Never what was sent: addresses stand in it.
        logger.warning("A callback for the channel account %s was not taken: %s", account.pk, type(error).__name__)
        return _answer(REFUSED, 404)
    feedback.take(account, told, now)
    return _answer(TAKEN, 200)


def _answer(body: bytes, status: int) -> HttpResponse:
    return HttpResponse(body, status=status, content_type="application/json")
