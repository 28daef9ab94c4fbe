"""Looking for people by their identifiers, without an identifier in any address.

The term is posted; what it means is looked up and logged, and the list is shown under an address that holds row numbers
only: addresses end up in histories, in logs of proxies and in what people copy to each other.
"""

from typing import Any

from django.contrib import messages
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext

from crm import access_log
from crm.admin.lists import ListAdmin, person_of

LONGEST_ID = 18  # digits of the largest bigint, less one
MOST_FOUND = 100


def numbers(term: str) -> list[int]:
    """Return the row numbers of a term like ``#42`` or ``#42,#43``; none, if it is anything else.

    >>> numbers("#42, 43"), numbers("13800138000x")
    ([42, 43], [])
    """
    parts = [part.strip().removeprefix("#") for part in term.split(",")]
    good = all(part.isascii() and part.isdecimal() and len(part) <= LONGEST_ID for part in parts)
    return [int(part) for part in parts] if good else []


class PrivateSearch(ListAdmin):
    """A list that is searched by POST; ``meant`` says which rows a term means, ``field`` what their numbers select."""

    private_search = True
    search_for = "id"

    def meant(self, term: str) -> list[int]:
        """Return the numbers of the rows or people that a term means."""
        raise NotImplementedError

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method == "POST" and SEARCH_VAR in request.POST and self.has_view_permission(request):
            return self._found(request)
        return super().changelist_view(request, extra_context)

    def _found(self, request: HttpRequest) -> HttpResponse:
        address, term = request.GET.copy(), str(request.POST[SEARCH_VAR]).strip()
        for name in (SEARCH_VAR, "p"):
            address.pop(name, None)
        if term and not term.startswith("#"):
            found = self.meant(term)
            self._log(request, found)
            if not found:
                messages.warning(request, gettext("Nobody is known by this."))
            term = ",".join(f"#{number}" for number in found) or "#0"
        if term:
            address[SEARCH_VAR] = term
        return HttpResponseRedirect(f"{request.path}?{address.urlencode()}")

    def _log(self, request: HttpRequest, found: list[int]) -> None:
        what = f"{self.model._meta.verbose_name} by identifier"
        only = found[0] if len(found) == 1 and self.search_for != "pk" else None
        access_log.note("search", what, user=person_of(request), profile=only, count=len(found), now=timezone.now())

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        return queryset.filter(Q(**{f"{self.search_for}__in": numbers(search_term)})), False
