"""Requests that are sent again with the same key: answered again, and done once."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.response import Response

from crm import idempotency
from crm.api.resources import Conflict, Resource
from crm.idempotency import Answer

KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": idempotency.LONGEST_KEY, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description="The same key and the same body get the same answer, and are done once.",
)


class Repeatable(Resource):
    """A resource with requests that would hurt if they were done twice."""

    def key(self, name: str, *about: object) -> UUID | None:
        """Return the key of this request, one client's and action's own; nothing where none was sent."""
        given = self.request.headers.get("Idempotency-Key")
        if given is None:
            return None
        if not (0 < len(given) <= idempotency.LONGEST_KEY and given.isascii() and given.isprintable()):
            raise serializers.ValidationError({"Idempotency-Key": _("1 to 200 printable ASCII characters.")})
        return idempotency.key_of(name, self.caller.client_id, self.caller.profile_id, self.action, *about, given)

    def once(self, key: UUID | None, work: Callable[[], Answer], now: datetime) -> Response:
        """Do the work, or give the answer that was given before to the same request."""
        done = work() if key is None else self._again(key, work, now)
        headers = {"Idempotent-Replayed": "true"} if done.again else {}
        return Response(done.body, status=done.status, headers=headers)

    def _again(self, key: UUID, work: Callable[[], Answer], now: datetime) -> Answer:
        try:
            body = orjson.dumps(self.request.data, option=orjson.OPT_SORT_KEYS)
            return idempotency.once(key, body, work, now=now)
        except idempotency.InFlight:
            raise Conflict(_("A request with this key is being worked on.")) from None
        except idempotency.KeyReused:
            raise Conflict(_("The key was used for something else.")) from None
        except (TypeError, OverflowError):
            raise serializers.ValidationError(_("Has a number that is too large.")) from None


def plain(data: Any) -> Any:
    """Return what a serializer told as JSON has it, so that it can be kept and told again."""
    return orjson.loads(orjson.dumps(data, default=str))
