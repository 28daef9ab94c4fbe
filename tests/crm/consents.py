"""Purposes, notices and consents for tests, as plain functions."""

from datetime import datetime, timedelta
from typing import Any

from crm import consent, notices
from crm.consent import NewConsent
from crm.models import ConsentEvent, Notice, Profile, Purpose
from tests import factories

NOW = factories.NOW


def purpose(code: str = "offers", **facts: Any) -> Purpose:
    """Return a purpose, marketing by consent unless said otherwise; the same one for the same code."""
    told = {"kind": Purpose.Kind.MARKETING, "name": {"en": code, "zh-hans": code}} | facts
    return Purpose.objects.get_or_create(code=code, defaults=told)[0]


def notice(*purposes: str, code: str = "privacy", at: datetime = NOW - timedelta(days=30), **facts: Any) -> Notice:
    """Return a new published version of a notice on the purposes."""
    items = [{"purpose": name, "data_types": ["phone"], "recipients": [], "retention_days": 365} for name in purposes]
    texts = {"en": {"title": "Privacy", "body": "What we do.", "withdraw": "Any time."}}
    made = Notice.objects.create(
        **{"code": code, "version": notices.next_version(code), "items": items, "texts": texts} | facts
    )
    assert notices.publish(made, now=at)
    return made


def say(
    profile: Profile, state: str = "given", purpose: str = "offers", now: datetime = NOW, **facts: Any
) -> ConsentEvent:
    """Record an event as it happens, or as it is claimed."""
    return consent.record(profile.pk, NewConsent(purpose=purpose, state=state, **facts), source=None, now=now)
