"""The sequencer's bell: after a commit it asks a worker to number what was appended, at most once a second."""

import logging

from celery import current_app
from django.core.cache import cache

log = logging.getLogger(__name__)

TASK = "crm.tasks.sequence_ledger"
RUNG = "zhiyin:ledger:bell"
PAUSE_SECONDS = 1.0  # what is appended meanwhile is numbered, and signed for, together
FORGOTTEN_SECONDS = 5  # a task that was lost with its worker must not keep the bell silent


def ring() -> None:
    """Call the sequencer, unless it was called and has not begun.

    The queue in the database is the truth, and beat calls as well: a bell that cannot be heard delays the numbering
    by seconds and loses nothing, so it never fails what was just committed.
    """
    try:
        if cache.add(RUNG, 1, timeout=FORGOTTEN_SECONDS):
            current_app.send_task(TASK, queue="ledger", countdown=PAUSE_SECONDS, expires=60, retry=False)
    except Exception:  # whatever cache and broker raise: the commit stands, and beat rings too
        log.warning("The sequencer's bell could not be rung; beat will call it.", exc_info=True)


def answer() -> None:
    """Let the bell ring again; the sequencer calls this before it looks into the queue."""
    try:
        cache.delete(RUNG)
    except Exception:
        log.warning("The sequencer's bell could not be reset; it forgets by itself.", exc_info=True)
