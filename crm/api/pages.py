"""Pages that never skip or repeat a row, however many are added meanwhile, and that never count."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from django.core import signing
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

if TYPE_CHECKING:  # Django REST framework loads this module by name while it is loading its views
    from rest_framework.views import APIView

DEFAULT_LIMIT = 50
MAX_LIMIT = 200


class Ordered(Protocol):
    """A view that says in which order its rows come: one or two columns, never null, together unique."""

    ordering: Sequence[str]
    action: str


class KeysetPagination(BasePagination):
    """Go on after the last row's values, which an index finds at once: page 10,000 costs what page 1 does.

    Django REST framework's own cursors keep one column and an offset among equals; event logs have thousands of equal
    times, so here the cursor holds every column of the order. It is signed, so only our own values come back.
    """

    def paginate_queryset(self, queryset: Any, request: Request, view: "APIView | None" = None) -> list[Any]:
        ordered = cast("Ordered", view)
        self.request, self.order = request, tuple(ordered.ordering)
        self.salt = f"cursor.{type(view).__name__}.{ordered.action}"
        limit = _limit(request)
        if cursor := request.query_params.get("cursor"):
            queryset = _after(queryset, self.order, self._read(cursor))
        rows = list(queryset.order_by(*self.order)[: limit + 1])
        self.last = rows[limit - 1] if len(rows) > limit else None
        return rows[:limit]

    def get_paginated_response(self, data: Any, pinned: Mapping[str, Any] | None = None) -> Response:
        """Answer with one page; ``pinned`` parameters are kept in the address of the next one."""
        return Response({"next": self._next(pinned or {}), "results": data})

    def get_paginated_response_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        following = {"type": "string", "format": "uri", "nullable": True, "description": "The next page, if any."}
        return {
            "type": "object",
            "required": ["next", "results"],
            "properties": {"next": following, "results": dict(schema)},
        }

    def get_schema_operation_parameters(self, view: "APIView") -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
        return [
            {
                "name": "cursor",
                "in": "query",
                "schema": {"type": "string"},
                "description": "From a next.",
            },
            {"name": "limit", "in": "query", "schema": limit, "description": "Rows in a page."},
        ]

    def _next(self, pinned: Mapping[str, Any]) -> str | None:
        if self.last is None:
            return None
        url = self.request.build_absolute_uri()
        values = [_plain(self.last, name.removeprefix("-")) for name in self.order]
        for name, value in {**pinned, "cursor": signing.dumps(values, salt=self.salt)}.items():
            url = replace_query_param(url, name, value)
        return url

    def _read(self, cursor: str) -> list[Any]:
        try:
            return cast("list[Any]", signing.loads(cursor, salt=self.salt))
        except signing.BadSignature as error:
            raise ValidationError({"cursor": _("Not a cursor of this list.")}) from error


def _limit(request: Request) -> int:
    given = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if given.isascii() and given.isdecimal() and len(given) <= 3 and 1 <= int(given) <= MAX_LIMIT:
        return int(given)
    raise ValidationError({"limit": _("A number from 1 to %(most)s.") % {"most": MAX_LIMIT}})


def _after(queryset: QuerySet[Any], order: Sequence[str], position: list[Any]) -> QuerySet[Any]:
    names = [name.removeprefix("-") for name in order]
    strictly = "lt" if order[0].startswith("-") else "gt"
    first, value = names[0], position[0]
    if len(names) == 1:
        return queryset.filter(**{f"{first}__{strictly}": value})
    tied = Q(**{f"{names[1]}__{strictly}": position[1]})
    # The second condition alone says it all; the first is what lets an index start at the right place.
    return queryset.filter(**{f"{first}__{strictly}e": value}).filter(Q(**{f"{first}__{strictly}": value}) | tied)


def _plain(row: Any, name: str) -> Any:
    value = row[name] if isinstance(row, dict) else getattr(row, name)
    return value if isinstance(value, int) else value.isoformat() if hasattr(value, "isoformat") else str(value)
