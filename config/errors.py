"""Every error of the API in its one shape, also where no view was reached."""

from http import HTTPStatus
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.defaults import server_error
from rest_framework import exceptions
from rest_framework.response import Response

from crm.errors import error_body, error_response


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn what a view raised into an answer; ``None`` for what nobody foresaw, which is logged and answered 500."""
    known = _as_api_error(error)
    if known is None:
        return None
    code, message, field = _first(known)
    headers = {}
    if header := getattr(known, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if wait := getattr(known, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return Response(error_body(code, message, field), status=known.status_code, headers=headers)


def not_found(request: HttpRequest) -> HttpResponse:
    """Answer for addresses below ``/api/`` that lead nowhere, also in DEBUG, where Django would show its own page."""
    message = _("There is nothing at this address.")
    if not request.path.endswith("/"):
        message += " " + _("Addresses end with a slash.")
    return error_response(404, "not_found", message)


def server_failed(request: HttpRequest) -> HttpResponse:
    """Answer 500: as JSON to programs, as a page to people."""
    if request.path.startswith(("/api/", "/v1/")):
        return error_response(500, "error", _("Something went wrong here; it has been logged."))
    return server_error(request)


class TooLarge(exceptions.APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = "The request is too large."
    default_code = "too_large"


def _as_api_error(error: Exception) -> exceptions.APIException | None:
    match error:
        case exceptions.APIException():
            return error
        case Http404():
            return exceptions.NotFound()
        case PermissionDenied():
            return exceptions.PermissionDenied()
        case RequestDataTooBig():
            return TooLarge()
        case SuspiciousOperation() | BadRequest():
            return exceptions.ParseError()
        case _:
            return None


def _first(error: exceptions.APIException) -> tuple[str, str, str | None]:
    """Return code, message and field of an error, or of the first of many."""
    detail, path = error.detail, []
    while isinstance(detail, list | dict):
        if isinstance(detail, dict):
            name, detail = next(iter(detail.items()))
            path.append(str(name))
        else:
            detail = next(one for one in detail if one)  # a list of rows has empty places for the good ones
    field = ".".join(name for name in path if name != "non_field_errors")
    if isinstance(error, exceptions.ValidationError):
        return "invalid", str(detail), field or None
    return str(getattr(detail, "code", error.default_code)), str(detail), field or None
