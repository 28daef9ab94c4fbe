"""A template is saved as a new version; what a campaign was approved with stays as it was."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from campaigns import forms
from campaigns.models import Template, TemplateVersion

MOST_BYTES = 1_000_000


def save(
    template: Template, told: Mapping[str, Any], fallbacks: Mapping[str, str], *, by: User | None, now: datetime
) -> TemplateVersion:
    """Keep what a template says as its newest version; the same once more makes none.

    Raises
    ------
    campaigns.forms.FormError
        It cannot be read; nothing is kept.
    """
    forms.parse(dict(told))
    with transaction.atomic():
        held = Template.objects.select_for_update().get(pk=template.pk)
        before = held.versions.order_by("-number").first()
        if before is not None and (before.forms, before.fallbacks) == (told, fallbacks):
            return before
        made = TemplateVersion.objects.create(
            template=held,
            number=before.number + 1 if before else 1,
            forms=told,
            fallbacks=fallbacks,
            made_by=by,
            made_at=now,
        )
        Template.objects.filter(pk=held.pk).update(current=made)
    return made
