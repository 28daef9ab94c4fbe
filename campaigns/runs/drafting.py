"""A campaign is drafted, and changed while it may be: facts and variants together, or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext

from campaigns.models import Campaign, TemplateVersion, Variant
from campaigns.runs import approving, readiness
from campaigns.runs.recurrence import TimingError
from campaigns.runs.transitions import NotPossible

FACTS = frozenset(
    {
        *("name", "purpose", "segment", "channels", "kind", "timing", "starts_at", "ends_at", "holdout", "goal"),
        *("goal_name", "attribution_window", "message_expires_after", "priority", "send_rate"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Message:
    """A variant as it is wanted."""

    name: str
    template: TemplateVersion
    weight: int = 1


def create(facts: Mapping[str, Any], messages: Sequence[Message], by: User, now: datetime) -> Campaign:
    """Return a new draft.

    Raises
    ------
    django.core.exceptions.ValidationError
        A fact is not valid, by field.
    """
    made = Campaign(created_at=now, created_by=by)
    with transaction.atomic():
        _set(made, facts)
        _save(made, None)
        _vary(made, messages)
    return made


def change(campaign: Campaign, facts: Mapping[str, Any], messages: Sequence[Message] | None, now: datetime) -> None:
    """Change what is told, and make it a draft again; variants that are told replace those that were.

    Raises
    ------
    campaigns.runs.transitions.NotPossible, django.core.exceptions.ValidationError
    """
    with transaction.atomic():
        approving.changed(campaign, now)
        _not_by_steps(campaign, facts, messages)
        _set(campaign, facts)
        if facts:
            _save(campaign, sorted(facts))
        if messages is not None:
            _vary(campaign, messages)


def _not_by_steps(campaign: Campaign, facts: Mapping[str, Any], messages: Sequence[Message] | None) -> None:
    """Refuse what only the steps of a journey say, which colleagues approve by version."""
    if campaign.kind != Campaign.Kind.JOURNEY:
        return
    told = [*(name for name in ("kind", "timing") if name in facts), *([] if messages is None else ["variants"])]
    if told:
        raise ValidationError(dict.fromkeys(told, gettext("Of a journey its steps say that.")))


def _set(campaign: Campaign, facts: Mapping[str, Any]) -> None:
    if unknown := set(facts) - FACTS:
        raise ValueError(f"These are no facts of a draft: {', '.join(sorted(unknown))}.")
    for name, value in facts.items():
        setattr(campaign, name, value)
    if len(set(campaign.channels)) < len(campaign.channels):
        raise ValidationError({"channels": gettext("Each channel is tried once.")})
    if campaign.starts_at and campaign.ends_at and campaign.ends_at <= campaign.starts_at:
        raise ValidationError({"ends_at": gettext("It ends before it starts.")})
    try:
        readiness.check_timing(campaign.kind, campaign.timing)
    except TimingError as error:
        raise ValidationError({"timing": str(error)}) from error


def _save(campaign: Campaign, columns: Sequence[str] | None) -> None:
    campaign.full_clean(exclude=["created_by", "created_at"], validate_constraints=False)
    try:
        with transaction.atomic():
            campaign.save(update_fields=columns)
    except IntegrityError as error:  # somebody else took the name meanwhile
        raise ValidationError({"name": gettext("There is a campaign of this name already.")}) from error


def _vary(campaign: Campaign, messages: Sequence[Message]) -> None:
    """Keep variants by their names: deliveries of earlier runs point to them."""
    named = {message.name: message for message in messages}
    if len(named) < len(messages):
        raise ValidationError({"variants": gettext("Two variants have the same name.")})
    try:
        campaign.variants.exclude(name__in=named).delete()
    except ProtectedError as error:
        raise NotPossible(
            gettext("A variant of which messages were sent stays: change its weight or its template instead.")
        ) from error
    for message in named.values():
        Variant.objects.update_or_create(
            campaign=campaign, name=message.name, defaults={"template": message.template, "weight": message.weight}
        )
