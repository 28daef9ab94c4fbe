"""The one shape in which every HTTP interface says that something is wrong."""

from typing import Any

from django.http import JsonResponse


def error_body(code: str, message: str, field: str | None = None) -> dict[str, Any]:
    """Return ``{"error": {...}}``: a code for programs, a sentence for people, and the field that is meant, if any."""
    return {"error": {"code": code, "message": message, "field": field}}


def error_response(status: int, code: str, message: str, field: str | None = None) -> JsonResponse:
    """Answer with ``status`` and the error as JSON."""
    return JsonResponse(error_body(code, message, field), status=status)
