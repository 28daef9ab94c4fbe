"""Was it a person who opened a message or followed a link, or a scanner that looks at all mail before people do?"""

import re
from datetime import datetime, timedelta

# Proxies that load each picture once for all, scanners of mail, and programs that name themselves.
NAMES = re.compile(
    r"bot\b|crawl|spider|scan|preview|prefetch|proxy|barracuda|proofpoint|mimecast|safelinks|symantec|trend ?micro"
    r"|forcepoint|fireeye|ironport|python|curl|wget|go-http|java/|okhttp|headless|yahoomailproxy|googleimageproxy",
    re.IGNORECASE,
)
TOO_SOON = timedelta(seconds=2)  # nobody reads as fast


def is_one(user_agent: str, handed_over: datetime | None, at: datetime) -> bool:
    """Tell whether a machine did it: by its name, or because it came before anybody could have read.

    >>> moment = datetime(2026, 1, 1)
    >>> is_one("Mozilla/5.0 (iPhone)", moment, moment + timedelta(minutes=1)), is_one("Mozilla/5.0", moment, moment)
    (False, True)
    """
    soon = handed_over is not None and at - handed_over < TOO_SOON
    return soon or NAMES.search(user_agent) is not None
