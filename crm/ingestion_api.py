"""The Segment HTTP API: what browsers, apps, shops and the official client libraries send events to."""

import json
import zlib
from base64 import b64decode
from binascii import Error as NotBase64
from datetime import timedelta
from threading import BoundedSemaphore
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from crm import intake
from crm.checks import Invalid
from crm.errors import error_response
from crm.identity import LostRace
from crm.models import Source
from crm.segment import TYPES, Reception, TooDeep, shift_of

LARGEST_REQUEST = 500 * 1024
# More requests at once would only wait for the same disk, and hold the memory and the threads of all other pages.
SLOTS = BoundedSemaphore(settings.INGEST_CONCURRENCY)
SLOT_PATIENCE = 2.0
RETRY_AFTER = "2"


class Refused(Exception):
    """The request as a whole cannot be taken."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.response = error_response(status, code, message, field)


@csrf_exempt
def ingest(request: HttpRequest, type: str) -> HttpResponse:
    """Take one message of the type that the address names, or a batch."""
    if request.method == "OPTIONS":
        return _open_to_browsers(HttpResponse(status=204))
    if not SLOTS.acquire(timeout=SLOT_PATIENCE):
        return _later(429, "busy", "Too many requests at once. Send it again later.")
    try:
        return _open_to_browsers(_answer(request, type))
    except Refused as refused:
        return _open_to_browsers(refused.response)
    except (OperationalError, InterfaceError, LostRace):
        return _later(503, "unavailable", "The database is busy or away. Nothing was taken: send it again later.")
    finally:
        SLOTS.release()


def _answer(request: HttpRequest, type_: str) -> HttpResponse:
    if request.method != "POST":
        raise Refused(405, "method_not_allowed", "Send messages by POST.")
    source = _source(request)
    body, exact = _parse(_body(request))
    messages = body.get("batch") if type_ == "batch" else [body | {"type": type_}]
    if not isinstance(messages, list):
        raise Refused(400, "invalid", "A batch must be a list of messages.", "batch")
    received_at = timezone.now()
    try:
        shift = shift_of(body.get("sentAt"), received_at) if type_ == "batch" else timedelta(0)
        taken = intake.take(source, messages, Reception(received_at=received_at, shift=shift, exact=exact))
    except Invalid as invalid:
        raise Refused(400, "invalid", invalid.reason, invalid.field) from None
    except TooDeep as deep:
        raise Refused(400, "bad_json", str(deep)) from None
    rejected = [{"index": one.index, "field": one.field or None, "reason": one.reason} for one in taken.rejected]
    return JsonResponse({"success": True, "rejected": rejected})


def _source(request: HttpRequest) -> Source:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        write_key = b64decode(encoded, validate=True).decode().partition(":")[0] if scheme.lower() == "basic" else ""
    except (NotBase64, ValueError):
        write_key = ""
    source = Source.objects.with_key(write_key).first() if write_key else None
    if source is None:
        raise Refused(401, "unauthenticated", "Give the source's write key as the user name of basic authentication.")
    return source


def _body(request: HttpRequest) -> bytes:
    if request.content_type != "application/json":
        raise Refused(415, "unsupported_media_type", "Send application/json.")
    if "chunked" in request.headers.get("Transfer-Encoding", "").lower():
        raise Refused(411, "length_required", "Say how long the request is (Content-Length).")
    try:
        body = request.body
    except RequestDataTooBig:
        raise _too_large() from None
    except UnreadablePostError:
        raise Refused(400, "incomplete", "The request ended too early.") from None
    if len(body) > LARGEST_REQUEST:
        raise _too_large()
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if encoding == "gzip":
        return _unzipped(body)
    if encoding != "identity":
        raise Refused(415, "unsupported_media_type", f"Content-Encoding {encoding[:40]!r} is unknown; gzip is not.")
    return body


def _unzipped(body: bytes) -> bytes:
    # Never more than the limit is unpacked: a bomb of a few kB would otherwise fill the memory.
    stream = zlib.decompressobj(wbits=31)
    try:
        plain = stream.decompress(body, LARGEST_REQUEST + 1)
    except zlib.error:
        raise Refused(400, "bad_gzip", "The request is not what gzip makes.") from None
    if len(plain) > LARGEST_REQUEST:
        raise _too_large()
    if not stream.eof:
        raise Refused(400, "bad_gzip", "The request ended too early.")
    return plain


def _parse(body: bytes) -> tuple[dict[str, Any], bool]:
    """Return the body, and whether it is JSON to the letter.

    What is almost JSON (NaN, half a character: Python's and JavaScript's own writers make it) is read by the second,
    laxer parser, so that one such event costs no other.
    """
    try:
        parsed, exact = orjson.loads(body), True
    except orjson.JSONDecodeError:
        parsed, exact = _lax(body), False
    if not isinstance(parsed, dict):
        raise Refused(400, "bad_json", "Send a JSON object.")
    return parsed, exact


def _lax(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "bad_json", "The request is not JSON, or nested too deeply.") from None


def _too_large() -> Refused:
    return Refused(413, "too_large", f"A request may have {LARGEST_REQUEST // 1024} kB. Send smaller batches.")


def _later(status: int, code: str, message: str) -> HttpResponse:
    response = error_response(status, code, message)
    response["Retry-After"] = RETRY_AFTER
    return _open_to_browsers(response)


def _open_to_browsers(response: HttpResponse) -> HttpResponse:
    """Let pages of any site send: their key is public anyway, and no cookie is ever read here."""
    response["Access-Control-Allow-Origin"] = "*"
    response["Access-Control-Allow-Headers"] = "Authorization, Content-Type, Content-Encoding"
    response["Access-Control-Allow-Methods"] = "POST"
    return response


urlpatterns = [path(f"v1/{type_}", ingest, {"type": type_}, name=f"ingest_{type_}") for type_ in (*TYPES, "batch")]
