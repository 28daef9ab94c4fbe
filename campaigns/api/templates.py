"""Templates: their versions, what is wrong with them, and how they look to somebody."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.template_shapes import (
    CheckedOut,
    PreviewIn,
    PreviewOut,
    TemplateChange,
    TemplateIn,
    TemplateOut,
    TemplateVersionOut,
    TemplateWhole,
    VersionIn,
)
from campaigns.forms import FormError
from campaigns.models import Template, TemplateVersion
from campaigns.templating import checking, previews, rendering, template_saving
from campaigns.templating.rendering import TemplateFailed
from crm import merged
from crm.api.acting import Acting
from crm.api.profiles import usable
from crm.api.repeats import KEY, Repeatable, plain
from crm.api.resources import Conflict
from crm.idempotency import Answer

ROWS = "profiles:read"
ADDS, CHANGES = "campaigns.add_template", "campaigns.change_template"


class TemplateViewSet(Acting, Repeatable):
    """Messages, by channel and language. A version is never changed: campaigns keep the one they were approved with."""

    scopes = {
        "list": "templates:read",
        "retrieve": "templates:read",
        "versions": "templates:read",
        "problems": "templates:read",
        "check": "templates:read",
        "preview": "templates:read",
        "create": "templates:write",
        "partial_update": "templates:write",
        "save": "templates:write",
    }
    permissions = {"create": ADDS, "partial_update": CHANGES, "save": CHANGES}
    http_method_names = ["get", "head", "post", "patch"]
    queryset = Template.objects.select_related("current")
    serializer_class = TemplateOut

    @property
    def ordering(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("-number",) if self.action == "versions" else ("id",)

    def list(self, request: Request) -> Response:
        """All templates, oldest first."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(TemplateOut(page, many=True).data)

    @extend_schema(responses=TemplateWhole)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One template, with what its current version says."""
        return Response(TemplateWhole(self._template(pk)).data)

    @extend_schema(request=TemplateIn, responses={201: TemplateWhole}, parameters=[KEY])
    def create(self, request: Request) -> Response:
        """Make a template with its first version."""
        asked, now = self.body(TemplateIn), timezone.now()

        def work() -> Answer:
            made = _read(lambda: self._create(asked, now))
            self.log(made, "create")
            return Answer(201, plain(TemplateWhole(self._template(str(made.pk))).data))

        return self.once(self.key("templates"), work, now)

    @extend_schema(request=TemplateChange, responses=TemplateWhole)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change name or description; what it says gets a next version."""
        asked = TemplateChange(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        one = self._template(pk)
        with transaction.atomic():
            _read(lambda: _rename(one, dict(asked.validated_data)))
            self.log(one, "change")
        return Response(TemplateWhole(self._template(pk)).data)

    @extend_schema(responses=TemplateVersionOut(many=True), methods=["GET"])
    @action(detail=True)
    def versions(self, request: Request, pk: str) -> Response:
        """What it said, the newest version first."""
        page = self.paginate_queryset(TemplateVersion.objects.filter(template=self._template(pk)))
        return self.get_paginated_response(TemplateVersionOut(page, many=True).data)

    @extend_schema(request=VersionIn, responses={201: TemplateVersionOut})
    @versions.mapping.post
    def save(self, request: Request, pk: str) -> Response:
        """Keep what it says as its next version; the same once more makes none."""
        asked, one = self.body(VersionIn), self._template(pk)
        with transaction.atomic():
            now = timezone.now()
            made = _read(lambda: template_saving.save(one, asked["forms"], asked["fallbacks"], by=self.staff, now=now))
            self.log(one, f"version {made.number}")
        return Response(TemplateVersionOut(made).data, status=201)

    @extend_schema(responses=CheckedOut)
    @action(detail=True)
    def problems(self, request: Request, pk: str) -> Response:
        """What is wrong with its current version, and which variables it names."""
        return Response(_checked(_current(self._template(pk))))

    @extend_schema(request=VersionIn, responses=CheckedOut)
    @action(detail=False, methods=["post"])
    def check(self, request: Request) -> Response:
        """What is wrong with forms that are not saved; nothing is kept."""
        asked = self.body(VersionIn)
        return Response(_checked(TemplateVersion(forms=asked["forms"], fallbacks=asked["fallbacks"])))

    @extend_schema(request=PreviewIn, responses=PreviewOut)
    @action(detail=True, methods=["post"])
    def preview(self, request: Request, pk: str) -> Response:
        """How it looks to a made-up person or, with the scope `profiles:read`, to one of ours, whose name is masked."""
        asked = self.body(PreviewIn)
        version = _current(self._template(pk))
        if asked["language"] not in version.forms.get(asked["channel"], {}):
            raise NotFound
        profile = self._profile(asked["profile_id"]) if "profile_id" in asked else None
        try:
            parts = previews.preview(version, asked["channel"], asked["language"], profile)
        except TemplateFailed as failed:
            raise Conflict(checking.explain(failed)) from failed
        return Response({"parts": parts})

    def _profile(self, profile: int) -> int:
        if ROWS not in self.caller.scopes:
            raise PermissionDenied(_("This needs the scope %(scope)s.") % {"scope": ROWS})
        person = merged.person(profile)
        if person is None:
            raise serializers.ValidationError({"profile_id": _("Nobody is known by this.")})
        return usable(person).id

    def _create(self, asked: dict[str, Any], now: datetime) -> Template:
        with transaction.atomic():
            made = Template.objects.create(
                name=asked["name"], description=asked["description"], created_by=self.staff, created_at=now
            )
            template_saving.save(made, asked["forms"], asked["fallbacks"], by=self.staff, now=now)
        return made

    def _template(self, pk: str) -> Template:
        found: Template = get_object_or_404(self.get_queryset(), pk=pk)
        return found


def _current(one: Template) -> TemplateVersion:
    if one.current is None:
        raise Conflict(_("The template says nothing yet."))
    return one.current


def _checked(version: TemplateVersion) -> dict[str, Any]:
    found = rendering.check(version)
    problems = [{"where": one.where, "code": one.code, "message": one.message, "grave": one.grave} for one in found]
    return {"problems": problems, "variables": checking.shown_variables(version)}


def _rename(one: Template, told: dict[str, Any]) -> None:
    if told:
        with transaction.atomic():
            Template.objects.filter(pk=one.pk).update(**told)


def _read(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except FormError as error:
        path = f"forms.{error.path}" if error.path else "forms"
        raise serializers.ValidationError({path: error.message}) from error
    except IntegrityError as error:
        raise serializers.ValidationError({"name": _("There is a template of this name already.")}) from error
