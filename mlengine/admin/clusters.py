"""Segments that models found: what sets each apart, and who is in it."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.admin.lists import EstimatingPaginator, ReadOnlyAdmin, column, person_of
from crm.privacy import masked_name
from mlengine.admin import private
from mlengine.admin.words import in_language, spec_title
from mlengine.anonymity.tidying import FLOOR
from mlengine.models import Cluster, ClusterMember, PredictionRun

MEMBERS_A_PAGE = 50


@admin.register(Cluster)
class ClusterAdmin(ReadOnlyAdmin):
    """Segments found, with their people."""

    change_form_template = "zhiyin/cluster/change_form.html"
    list_display = ("shown_name", "found_by", "shown_description", "first_seen_at")
    list_filter = ("spec",)
    ordering = ("spec", "code")
    fields = ("shown_name", "found_by", "shown_description", "first_seen_at")

    def title_of(self, obj: Cluster) -> str:
        return self.shown_name(obj)

    @column(_("segment"), ordering="code")
    def shown_name(self, cluster: Cluster) -> str:
        return in_language(cluster.name) or str(cluster.code)

    @column(_("model"), ordering="spec")
    def found_by(self, cluster: Cluster) -> str:
        return spec_title(cluster.spec)

    @column(_("what sets it apart"))
    def shown_description(self, cluster: Cluster) -> str:
        return in_language(cluster.description)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        cluster = self.get_object(request, object_id)
        facts = about(cluster, request) if isinstance(cluster, Cluster) else {}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | facts)


def about(cluster: Cluster, request: HttpRequest) -> dict[str, Any]:
    """Return what the page shows: the members, or for who may not see people about how many they are."""
    run = PredictionRun.objects.latest_finished(cluster.spec)
    facts = {
        "cluster": cluster,
        "cluster_name": in_language(cluster.name) or str(cluster.code),
        "cluster_description": in_language(cluster.description),
        "model_title": spec_title(cluster.spec),
        "run": run,
        "subtitle": in_language(cluster.name),
    }
    user = person_of(request)
    if private.sees_people(user) and user.has_perm("mlengine.view_clustermember"):
        return facts | members(cluster, run, request)
    return facts | private_size(cluster, user)


def private_size(cluster: Cluster, user: User) -> dict[str, Any]:
    """Return about how many people are in a segment, from the one figure of all segments of its model."""
    part = private.all_of([f"sizes-{cluster.spec}"], user, timezone.now()).get(f"sizes-{cluster.spec}")
    if part is None or part.told is None:
        return {"private": part, "private_size": part.refused if part else "–"}
    code = str(cluster.code)
    small = _("fewer than %(floor)d") % {"floor": FLOOR}
    size = private.about(part.told.cells.told[code], part.told.margin) if code in part.told.cells.told else small
    return {"private": part, "private_size": size}


def members(cluster: Cluster, run: PredictionRun | None, request: HttpRequest) -> dict[str, Any]:
    """Return the people of a segment in the latest run, a page at a time."""
    found: QuerySet[ClusterMember] = ClusterMember.objects.filter(cluster=cluster, run=run).order_by("profile_id")
    pages: Paginator[Any] = EstimatingPaginator(found.select_related("profile"), MEMBERS_A_PAGE)
    page = pages.get_page(request.GET.get("p"))
    return {
        "members": page,
        "people": [(one.profile, masked_name(one.profile.name)) for one in page.object_list],
    }
