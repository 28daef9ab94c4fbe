"""What a mail server's answers mean, by the phase in which it gives them (RFC 5321, RFC 3463).

The server is responsible for a message from the moment it answers 2xx to the end of the data (RFC 5321, section 6.1).
So whatever breaks before the last line was sent is a definite *not sent*; whatever breaks after it, and before the
answer, leaves nobody knowing.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from campaigns.channels.base import Answer, Outcome


class Phase(StrEnum):
    """How far a message's way over SMTP had come."""

    OPEN = "open"  # connecting, greeting, TLS, log-in
    SENDER = "sender"
    RECIPIENT = "recipient"
    DATA = "data"  # asked to send it, and on the way until the last line
    END = "end"  # the last line has been sent


ENHANCED = re.compile(r"^([245])\.(\d{1,3})\.(\d{1,3})\b")
BUSY_AFTER = timedelta(minutes=5)

# 5xx at each phase without a better word: what it is, whether the account is at fault.
PERMANENT: Mapping[Phase, tuple[Answer, str, bool]] = {
    Phase.OPEN: (Answer.BUSY, "account", True),
    Phase.SENDER: (Answer.BUSY, "sender", True),
    Phase.RECIPIENT: (Answer.REFUSED, "no_such_address", False),
    Phase.DATA: (Answer.REFUSED, "refused", False),
    Phase.END: (Answer.REFUSED, "content", False),
}
# By phase and code.
CODES: Mapping[tuple[Phase, int], tuple[Answer, str, bool]] = {
    (Phase.OPEN, 421): (Answer.BUSY, "server_busy", False),
    (Phase.OPEN, 454): (Answer.BUSY, "server_busy", False),  # a passing fault of the log-in (RFC 4954, section 6)
    (Phase.SENDER, 530): (Answer.BUSY, "account", True),  # wants a log-in
    (Phase.SENDER, 535): (Answer.BUSY, "account", True),
    (Phase.SENDER, 552): (Answer.REFUSED, "too_big", False),
    (Phase.SENDER, 555): (Answer.REFUSED, "not_supported", False),
    (Phase.RECIPIENT, 530): (Answer.BUSY, "account", True),
    (Phase.RECIPIENT, 452): (Answer.BUSY, "mailbox_full", False),
    (Phase.RECIPIENT, 552): (Answer.REFUSED, "mailbox_full", False),
    (Phase.RECIPIENT, 554): (Answer.REFUSED, "policy", False),
    (Phase.DATA, 552): (Answer.REFUSED, "too_big", False),
    (Phase.END, 552): (Answer.REFUSED, "too_big", False),
}
# By the enhanced code's subject and detail (RFC 3463, section 3), whatever the phase; it says more than the code.
ENHANCED_CODES: Mapping[tuple[int, int], str] = {
    (1, 1): "no_such_address",
    (1, 2): "no_such_domain",
    (1, 3): "no_such_address",
    (1, 6): "no_such_address",
    (1, 10): "no_such_address",
    (2, 1): "mailbox_disabled",
    (2, 2): "mailbox_full",
    (2, 3): "too_big",
    (3, 4): "too_big",
    (4, 4): "no_such_domain",
    (5, 3): "too_many_recipients",
    (7, 1): "policy",
    (7, 26): "not_authenticated",
}


def outcome(phase: Phase, code: int, text: str) -> Outcome:
    """Return what an answer of the server means; ``text`` begins with the enhanced code where there is one.

    >>> outcome(Phase.RECIPIENT, 550, "5.1.1 nobody here").reason
    'no_such_address'
    >>> outcome(Phase.END, 250, "2.0.0 queued").answer.value
    'accepted'
    """
    enhanced = ENHANCED.match(text)
    told = f"{code} {enhanced[0]}" if enhanced else str(code)
    if 200 <= code < 300 and phase is Phase.END:
        return Outcome(answer=Answer.ACCEPTED, code=told)
    if not 400 <= code < 600:
        return broken(phase, told)
    answer, reason, account = CODES.get((phase, code)) or _by_class(phase, code)
    if enhanced and not account:
        reason = ENHANCED_CODES.get((int(enhanced[2]), int(enhanced[3])), reason)
    wait = BUSY_AFTER if answer is Answer.BUSY else None
    return Outcome(answer=answer, code=told, reason=reason, again_after=wait, account_refused=account)


def broken(phase: Phase, code: str) -> Outcome:
    """Return what it means that the connection broke, timed out or answered nonsense in a phase."""
    if phase is Phase.END:
        return Outcome(answer=Answer.UNKNOWN, code=code, reason="no_answer")
    return Outcome(answer=Answer.BUSY, code=code, reason="connection", again_after=timedelta(minutes=1))


def _by_class(phase: Phase, code: int) -> tuple[Answer, str, bool]:
    return PERMANENT[phase] if code >= 500 else (Answer.BUSY, "server_busy", False)
