"""Tries hostile templates in a process of its own; says of each how long it took, and of all how much memory."""

import json
import resource
import sys
import time
from datetime import UTC, datetime
from typing import Any

SECRET = "no-template-may-read-this"
SECONDS, LONG = 0.2, 1e9
NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)


def main() -> None:
    """Try the part of the corpus that the arguments name, and write JSON of what came of it."""
    import django

    django.setup()
    from campaigns.forms import FormError, parse
    from campaigns.templating import rendering
    from campaigns.templating.sandbox import TemplateFailed
    from tests.campaigns.hostile_templates import corpus

    part, parts = int(sys.argv[1]), int(sys.argv[2])
    _try(rendering, parse, "Hello {{ profile.name | upcase }}", (TemplateFailed, FormError))
    before = _peak()
    told: list[dict[str, Any]] = []
    for number, source in enumerate(corpus()):
        if number % parts == part:
            took = LONG
            for _again in range(3):  # others who fill the caches slow a processor down, too
                begun = time.thread_time()
                said = _try(rendering, parse, source, (TemplateFailed, FormError))
                took = min(took, time.thread_time() - begun)
                if took <= SECONDS:
                    break
            told.append({"number": number, "seconds": took, "said": said[:300], "bad": _leaks(said)})
    sys.stdout.write(json.dumps({"told": told, "grown": _peak() - before}))


def _try(rendering: Any, parse: Any, source: str, refusals: tuple[type[Exception], ...]) -> str:
    try:
        form = parse({"email": {"en": {"subject": "x", "html": source}}})["email"]["en"]
        return str(rendering.tried(form, "en", NOW)["html"])
    except refusals as refused:
        return f"refused {refused}"


def _leaks(said: str) -> bool:
    if said.startswith("refused"):
        return False
    from django.conf import settings

    marks = ("<class", "object at 0x", "<bound", "<function", "root:x:", "built-in", settings.SECRET_KEY, "Traceback")
    return any(mark in said for mark in marks)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
