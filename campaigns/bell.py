"""The senders' bell: after a commit that made something due it calls a worker, and never fails what was committed."""

import logging

from celery import current_app
from django.core.cache import cache

log = logging.getLogger(__name__)

TASK = "campaigns.tasks.send"
RUNG = "zhiyin:send:bell"
FORGOTTEN_SECONDS = 5  # a task that was lost with its worker must not keep the bell silent


def ring() -> None:
    """Call a sender, unless one was called and has not begun; beat calls as well, so nothing is lost unheard."""
    try:
        if cache.add(RUNG, 1, timeout=FORGOTTEN_SECONDS):
            current_app.send_task(TASK, queue="send", expires=60, retry=False)
    except Exception:  # whatever cache and broker raise: the commit stands
        log.warning("The senders' bell could not be rung; beat will call them.", exc_info=True)


def answer() -> None:
    """Let the bell ring again."""
    try:
        cache.delete(RUNG)
    except Exception:
        log.warning("The senders' bell could not be reset; it forgets by itself.", exc_info=True)
