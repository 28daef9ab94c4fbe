"""Warnings of requests that come due: at half of their time, at four fifths, and on the last day."""

import logging
from datetime import datetime

from crm import clocks
from crm.models import PrivacyRequest
from crm.rights import note

logger = logging.getLogger(__name__)


def warn(now: datetime) -> int:
    """Warn once of each level that an open request has reached; return how many warnings were given.

    A warning is a line of the request's timeline, a mark in the list, and a warning in the log, where the operator's
    own alarms listen. Who is asked for her identity stops the clock, and is not warned of.
    """
    given = 0
    for request in PrivacyRequest.objects.running().prefetch_related("pauses").order_by("pk"):
        clock = clocks.clock(request, now)
        # Only one of two processes changes the row, and so gives the warning.
        fresh = PrivacyRequest.objects.running().filter(pk=request.pk, alerted__lt=clock.alert)
        if not clock.alert or not fresh.update(alerted=clock.alert):
            continue
        note(request, "alert", now, percent=clock.alert, left=clock.left)
        logger.warning(
            "Privacy request %s (%s) has used %s %% of its time and is due on %s",
            request.reference,
            request.kind,
            clock.alert,
            clock.due_on,
        )
        given += 1
    return given
