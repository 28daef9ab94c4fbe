"""Pages by a cursor: opaque to the caller, and right while things come and go."""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterable
from typing import Any

from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.routing import Call


def cut(call: Call, keyed: Iterable[tuple[str, Any]], *, most: int, usual: int) -> tuple[list[Any], str]:
    """Give one page of what is sorted by its key, and the cursor of the next, empty at the end."""
    limit = int(call.body.get("limit") or usual)
    if not 1 <= limit <= most:
        raise Refused(40058, f"limit is 1 to {most}")
    after = _read(str(call.body.get("cursor") or ""))
    rest = sorted((one for one in keyed if one[0] > after), key=lambda one: one[0])
    page = rest[:limit]
    following = urlsafe_b64encode(page[-1][0].encode()).decode() if len(rest) > limit else ""
    return [value for _, value in page], following


def _read(cursor: str) -> str:
    try:
        return b64decode(cursor, altchars=b"-_", validate=True).decode()
    except ValueError:
        raise Refused(40058, "invalid cursor") from None
