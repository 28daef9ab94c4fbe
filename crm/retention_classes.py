"""The classes of data: what each is kept for, how long, no shorter than which law allows, and where its rows are.

Event kinds are grouped by what the law and the purpose say of them: what was bought is kept longer than what was
looked at. Every kind belongs to exactly one class (a test says so); a partition goes whole once the longest class has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _

from crm.models import Purpose
from crm.models.assessments import KEPT_FOR
from crm.retention_evidence import Consents, HandOffs
from crm.retention_stores import EventKinds, Rows, Several, Store, Uploads

YEAR = timedelta(days=365)
# E-commerce Law 31: orders, three years after they were completed. PIPL 56, Net-Data Reg 12: logs of accesses,
# assessments and disclosures three years. Civil Code 188: claims lapse after three. A day more for the leap year.
THREE_YEARS = KEPT_FOR
NOTHING = timedelta(0)
Kind = Purpose.Kind


@dataclass(frozen=True, kw_only=True)
class DataClass:
    """A class of data: what it is called, the purpose it serves, how long it is kept for it, and where it is.

    ``governed_by`` are the kinds of purposes whose own retention decides, where one is set. ``by_purpose`` says that
    each row names its purpose, so that each is kept as long as its own says. Nothing makes it shorter than ``least``.
    """

    title: Any
    purpose: str
    keep: timedelta
    store: Store
    least: timedelta = NOTHING
    governed_by: tuple[str, ...] = ()
    by_purpose: bool = False


CLASSES: Mapping[str, DataClass] = {
    "behaviour": DataClass(
        title=_("what was looked at and searched"),
        purpose="profiling",
        keep=2 * YEAR,
        governed_by=(Kind.PROFILING, Kind.AUTOMATED_DECISIONS),
        store=EventKinds(kinds=("page", "screen", "view", "cart", "search", "track", "group")),
    ),
    "messages": DataClass(
        title=_("messages and what became of them"),
        purpose="marketing",
        keep=2 * YEAR,
        governed_by=(Kind.MARKETING,),
        store=EventKinds(
            kinds=(
                *("assigned", "journey_step", "sent", "delivered", "bounced", "failed"),
                *("opened", "clicked", "replied", "complained", "unsubscribed"),
            )
        ),
    ),
    "orders": DataClass(
        title=_("orders, refunds, coupons"),
        purpose="contract",
        keep=5 * YEAR,
        least=THREE_YEARS,
        store=EventKinds(kinds=("purchase", "refund", "redeemed")),
    ),
    "identification": DataClass(
        title=_("log-ins and statements about oneself"),
        purpose="service",
        keep=2 * YEAR,
        governed_by=(Kind.SERVICE,),
        store=EventKinds(kinds=("identify", "privacy_agreed")),
    ),
    "refused_messages": DataClass(
        title=_("refused messages"),
        purpose="operation",
        keep=timedelta(days=90),
        store=Rows(model="crm.RejectedEvent", at="received_at"),
    ),
    "jobs": DataClass(
        title=_("notes of jobs"),
        purpose="operation",
        keep=YEAR,
        store=Rows(model="crm.JobRun", at="created_at", only={"finished_at__isnull": False}),
    ),
    "accesses": DataClass(
        title=_("log of accesses"),
        purpose="legal_obligation",
        keep=THREE_YEARS,
        least=THREE_YEARS,
        store=Several(
            stores=(
                Rows(model="crm.PersonalDataAccess", at="at", profile="profile"),
                Rows(model="crm.RowExport", at="at"),
                Rows(model="crm.Approval", at="expires_at"),
            )
        ),
    ),
    "requests": DataClass(
        title=_("privacy requests"),
        purpose="legal_obligation",
        keep=THREE_YEARS,
        least=THREE_YEARS,
        store=Rows(model="crm.PrivacyRequest", at="ended_at", profile="profile"),
    ),
    "consents": DataClass(
        title=_("who consented or refused, once it is over"),
        purpose="legal_obligation",
        keep=THREE_YEARS,
        least=THREE_YEARS,
        by_purpose=True,
        store=Consents(),
    ),
    "hand_offs": DataClass(
        title=_("to whom messages left"),
        purpose="legal_obligation",
        keep=THREE_YEARS,
        least=THREE_YEARS,
        by_purpose=True,
        store=HandOffs(),
    ),
    # A row says what became of a message to whom; callbacks and visits that belong to it go with it.
    "deliveries": DataClass(
        title=_("who got which message of a campaign"),
        purpose="marketing",
        keep=2 * YEAR,
        governed_by=(Kind.MARKETING,),
        store=Several(
            stores=(
                Rows(model="campaigns.Delivery", at="planned_at", profile="profile"),
                Rows(model="campaigns.JourneyEntry", at="ended_at", profile="profile"),  # who walks has no end yet
                # That somebody follows an account, or knows one of the staff, is kept for as long after it has ended.
                Rows(model="campaigns.Follower", at="unfollowed_at", profile="identifier__profile"),
                Rows(model="campaigns.StaffContact", at="ended_at", profile="identifier__profile"),
            )
        ),
    ),
    "callbacks": DataClass(
        title=_("what providers told of messages"),
        purpose="operation",
        keep=timedelta(days=90),
        store=Several(
            stores=(
                Rows(
                    model="campaigns.Callback",
                    at="received_at",
                    profile="delivery__profile",
                    only={"handled_at__isnull": False},
                ),
                Rows(
                    model="campaigns.Inbound",
                    at="received_at",
                    profile="identifier__profile",
                    only={"handled_at__isnull": False},
                ),
                Rows(model="campaigns.Welcome", at="received_at", profile="identifier__profile"),
                Rows(model="campaigns.PhoneCode", at="asked_at", profile="identifier__profile"),
            )
        ),
    ),
    "chats": DataClass(
        title=_("conversations with staff"),
        purpose="operation",
        keep=YEAR,
        store=Rows(model="campaigns.ChatMessage", at="happened_at", profile="profile"),
    ),
    "scores": DataClass(
        title=_("scores, recommendations, segments"),
        purpose="profiling",
        keep=YEAR,
        governed_by=(Kind.PROFILING, Kind.AUTOMATED_DECISIONS),
        # One batch of answers at a time: its people go with it, and they may be many.
        store=Rows(model="mlengine.PredictionRun", at="started_at", batch=1),
    ),
    "assessments": DataClass(
        title=_("impact assessments that have ended"),
        purpose="legal_obligation",
        keep=THREE_YEARS,
        least=THREE_YEARS,
        store=Rows(model="crm.ImpactAssessment", at="valid_until", only={"approved_at__isnull": False}),
    ),
    "uploads": DataClass(
        title=_("uploaded files that were not imported"),
        purpose="operation",
        keep=timedelta(days=30),
        store=Uploads(),
    ),
}


EVENT_CLASSES = tuple(name for name, kept in CLASSES.items() if isinstance(kept.store, EventKinds))
# What is about people beside them: a hold on one of these stands against erasure, a sample is kept with all of them.
ABOUT_PEOPLE = (*EVENT_CLASSES, "consents", "hand_offs", "deliveries", "scores")
