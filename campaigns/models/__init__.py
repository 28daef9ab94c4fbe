"""Whom to reach, with what, on which way, and what became of each message."""

from campaigns.models.campaigns import Campaign, Run, Variant
from campaigns.models.channels import AccountUse, ChannelAccount
from campaigns.models.deliveries import Callback, Delivery
from campaigns.models.figures import Figures
from campaigns.models.guardrails import Alarm, Guardrail
from campaigns.models.links import Link
from campaigns.models.policies import FrequencyCap, SendingPolicy
from campaigns.models.segments import ListMember, Segment, SegmentMember, SegmentSnapshot, SegmentVersion
from campaigns.models.templates import Template, TemplateVersion
from campaigns.models.visits import Visit
from campaigns.models.webhooks import LedgerReader, WebhookAttempt, WebhookEndpoint, WebhookMessage

__all__ = [
    "AccountUse",
    "Alarm",
    "Callback",
    "Campaign",
    "ChannelAccount",
    "Delivery",
    "Figures",
    "FrequencyCap",
    "Guardrail",
    "LedgerReader",
    "Link",
    "ListMember",
    "Run",
    "Segment",
    "SegmentMember",
    "SegmentSnapshot",
    "SegmentVersion",
    "SendingPolicy",
    "Template",
    "TemplateVersion",
    "Variant",
    "Visit",
    "WebhookAttempt",
    "WebhookEndpoint",
    "WebhookMessage",
]
