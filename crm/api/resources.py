"""What every resource of the API has in common."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.http import ConditionalGetMiddleware
from django.utils.cache import patch_cache_control, patch_vary_headers
from rest_framework.exceptions import APIException
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.viewsets import GenericViewSet

from crm.api.access import Caller

# Row ids fit PostgreSQL's bigint; an address with a longer one does not exist.
ID = "[0-9]{1,18}"

_conditional = ConditionalGetMiddleware(lambda _request: HttpResponse())


class Conflict(APIException):
    """What was asked for does not fit the state that the row is in."""

    status_code = 409
    default_code = "conflict"


class Resource(GenericViewSet[Any]):
    """Rows that a caller with the right scope may read.

    Every answer carries an ETag of its content, and ``If-None-Match`` is answered 304: what a person is told changes
    once a night, but an app asks each time a page is shown.
    """

    scopes: ClassVar[Mapping[str, str]] = {}
    purposes: ClassVar[Mapping[str, str]] = {}
    ordering: ClassVar[tuple[str, ...]] = ("id",)
    lookup_value_regex = ID
    http_method_names = ["get", "head", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # What Django's decorators of views do: on a method they are made anew for each request.
        answer = super().dispatch(request, *args, **kwargs)
        patch_vary_headers(answer, ["Authorization", "Accept-Language"])
        patch_cache_control(answer, private=True, no_cache=True)
        if not isinstance(answer, Response):
            return _conditional.process_response(request, answer)
        answer.add_post_render_callback(lambda rendered: _conditional.process_response(request, rendered))
        return answer

    def parameters(self, question: type[Serializer[Any]]) -> dict[str, Any]:
        """Return the query string's parameters, checked; of a repeated one, the last."""
        asked = question(data=self.request.query_params.dict())
        asked.is_valid(raise_exception=True)
        return dict(asked.validated_data)

    @property
    def caller(self) -> Caller:
        """Who asks; the permission has let nobody else in."""
        return cast("Caller", self.request.auth)

    def body(self, question: type[Serializer[Any]]) -> dict[str, Any]:
        """Return the request's JSON, checked."""
        asked = question(data=self.request.data)
        asked.is_valid(raise_exception=True)
        return dict(asked.validated_data)
