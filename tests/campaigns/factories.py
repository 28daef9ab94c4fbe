"""Campaigns and what they need, for tests, as plain functions."""

from typing import Any
from uuid import uuid4

from django.contrib.auth.models import User

from campaigns.models import Campaign, ChannelAccount, Segment, SegmentVersion, Template, TemplateVersion, Variant
from crm.models import Identifier, Profile
from tests import factories
from tests.crm import consents

NOW = factories.NOW


def person(number: int, *, email: bool = True, consent: bool = True, **facts: Any) -> Profile:
    """Return somebody with an e-mail address and a consent to the purpose *offers*."""
    made = factories.profile(f"p{number}", **{"age_class": Profile.AgeClass.ADULT} | facts)
    if email:
        Identifier.objects.create(type="email", value=f"p{number}@example.com", profile=made, created_at=NOW)
    if consent:
        consents.say(made, channel="email", method="form")
    return made


def account(channel: str = "email", **facts: Any) -> ChannelAccount:
    """Return an account that can send on the channel."""
    told = {"name": f"our {channel}", "channel": channel, "provider": "stub", "hook": uuid4(), "created_at": NOW}
    return ChannelAccount.objects.create(**told | facts)


def segment(name: str = "everybody", rule: dict[str, Any] | None = None) -> Segment:
    """Return a segment with a first version of its rule."""
    made = Segment.objects.create(name=name, created_at=NOW)
    made.current = SegmentVersion.objects.create(segment=made, number=1, rule=rule or {"all": []}, made_at=NOW)
    made.save()
    return made


def template(name: str = "hello", **forms: Any) -> TemplateVersion:
    """Return a template's first version: an e-mail in English, unless other forms are given."""
    made = Template.objects.create(name=name, created_at=NOW)
    told = forms or {"email": {"en": {"subject": "Hello", "html": "<p>Hello</p>", "text": "Hello"}}}
    made.current = TemplateVersion.objects.create(template=made, number=1, forms=told, made_at=NOW)
    made.save()
    return made.current


def campaign(name: str = "spring", **facts: Any) -> Campaign:
    """Return a running campaign of one variant, approved by somebody else than who asked."""
    writer, boss = (User.objects.get_or_create(username=name)[0] for name in ("writer", "boss"))
    told = {
        "purpose": consents.purpose(),
        "channels": ["email"],
        "status": Campaign.Status.RUNNING,
        "created_by": writer,
        "submitted_by": writer,
        "approved_by": boss,
        "created_at": NOW,
        "starts_at": NOW,
    } | facts
    if "segment" not in told:
        told["segment"] = segment(f"people of {name}")
    made = Campaign.objects.create(name=name, **told)
    Variant.objects.create(campaign=made, name="A", template=template(f"words of {name}"))
    return made
