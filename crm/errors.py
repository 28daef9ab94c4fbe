"""How we say that something is wrong: over HTTP in one shape, and in what is kept without the values it was about."""

import traceback
from pathlib import Path
from typing import Any

from django.db import DatabaseError
from django.http import JsonResponse


def error_body(code: str, message: str, field: str | None = None) -> dict[str, Any]:
    """Return ``{"error": {...}}``: a code for programs, a sentence for people, and the field that is meant, if any."""
    return {"error": {"code": code, "message": message, "field": field}}


def error_response(status: int, code: str, message: str, field: str | None = None) -> JsonResponse:
    """Answer with ``status`` and the error as JSON."""
    return JsonResponse(error_body(code, message, field), status=status)


def cause_of(error: BaseException) -> str:
    """Return what kind of error it was and where, without its text: databases and parsers quote the values they refuse.

    >>> cause_of(ValueError("13800138000 is no date"))
    'ValueError'
    """
    cause = error.__cause__ if isinstance(error, DatabaseError) and error.__cause__ else error
    diagnosis = getattr(cause, "diag", None)
    places = [getattr(diagnosis, name, None) for name in ("table_name", "column_name", "constraint_name")]
    frames = traceback.extract_tb(error.__traceback__)
    if diagnosis is None and frames:
        places.append(f"{Path(frames[-1].filename).name}:{frames[-1].lineno}")
    named = ", ".join(place for place in places if place)
    return f"{type(cause).__name__} ({named})" if named else type(cause).__name__
