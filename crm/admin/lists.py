"""What all lists of the admin share: estimated counts on big tables, exact search, rows that nobody changes."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from django.contrib.admin import ModelAdmin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.forms import SplitDateTimeField
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from unfold.decorators import display

if TYPE_CHECKING:
    BaseAdmin: TypeAlias = ModelAdmin[Any]
else:
    from unfold.admin import ModelAdmin as BaseAdmin

Function = TypeVar("Function", bound=Callable[..., Any])
COUNTED_EXACTLY = 10_000


class EstimatingPaginator(Paginator):  # type: ignore[type-arg]  # not subscriptable at run time
    """Counts up to 10,000 rows; beyond that the planner's estimate will do, for COUNT(*) would read every row."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list.order_by()  # type: ignore[attr-defined]  # a queryset
        counted = rows[: COUNTED_EXACTLY + 1].count()
        return counted if counted <= COUNTED_EXACTLY else max(counted, estimated_rows(rows))


def estimated_rows(rows: QuerySet[Any]) -> int:
    """Return how many rows the planner expects."""
    plan = json.loads(rows.explain(format="json"))
    return int(plan[0]["Plan"]["Plan Rows"])


def column(description: Any, **facts: Any) -> Callable[[Function], Function]:
    """Say what a method of a list shows: Unfold's ``display``, with types."""
    made: Callable[[Function], Function] = display(description=description, **facts)
    return made


def moment(at: datetime) -> str:
    """Return a point in time as a page says it: in the organisation's zone and the reader's language."""
    return date_format(timezone.localtime(at), "DATETIME_FORMAT")


def person_of(request: HttpRequest) -> User:
    """Return who asks: nobody else gets past the login of the admin."""
    assert isinstance(request.user, User)  # noqa: S101
    return request.user


class List(ChangeList):
    """Says how many rows were found, and does not count all others just to say how many those are."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count = self.result_count


class ListAdmin(BaseAdmin):
    """A list that stays fast on a million rows."""

    paginator = EstimatingPaginator
    show_full_result_count = False
    list_per_page = 50
    list_filter_submit = True
    list_fullwidth = False
    compressed_fields = True
    warn_unsaved_form = True

    nothing_yet: Any = ""  # what would stand in the list, said where it is empty

    def title_of(self, obj: Any) -> str:
        """Return what a row is called at the head of its page, in the reader's language."""
        return str(obj)

    def facts_of(self, request: HttpRequest, one: Any) -> Mapping[str, Any]:
        """Return what the page of a row shows beside its fields."""
        return {}

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if type(self).facts_of is not ListAdmin.facts_of and (one := self.get_object(request, object_id)) is not None:
            extra_context = {**(extra_context or {}), **self.facts_of(request, one)}
        page: HttpResponse = super().change_view(request, object_id, form_url, extra_context)
        return page

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(field, SplitDateTimeField):
            # One label stands before two inputs: say to whom cannot see it which is which.
            for part, name in zip(field.widget.widgets, (gettext("Date"), gettext("Time")), strict=True):
                part.attrs["aria-label"] = f"{field.label}: {name}"
        return field

    def get_changelist(self, request: HttpRequest, **_: Any) -> type[ChangeList]:
        return List


class ReadOnlyAdmin(ListAdmin):
    """A log: to be looked at, never to be changed by hand, whoever asks."""

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
