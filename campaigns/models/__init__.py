"""Whom to reach, with what, on which way, and what became of each message."""

from campaigns.models.bulk import BulkJob
from campaigns.models.campaigns import Campaign, Run, Variant
from campaigns.models.channels import AccountUse, ChannelAccount
from campaigns.models.deliveries import Callback, Delivery
from campaigns.models.figures import Figures, Outcome, Reaction
from campaigns.models.guardrails import Alarm, Guardrail
from campaigns.models.journey_passages import Passage
from campaigns.models.journeys import Journey, JourneyEntry, JourneyVersion
from campaigns.models.links import Link
from campaigns.models.policies import FrequencyCap, SendingPolicy
from campaigns.models.segments import ListMember, Segment, SegmentMember, SegmentSnapshot, SegmentVersion
from campaigns.models.templates import Template, TemplateVersion
from campaigns.models.visits import Visit
from campaigns.models.webhooks import LedgerReader, WebhookAttempt, WebhookEndpoint, WebhookMessage
from campaigns.models.wechat import (
    AccountToken,
    ChannelLimit,
    Credit,
    Follower,
    Inbound,
    PlatformTemplate,
    ServiceWindow,
)
from campaigns.models.wechat_articles import Article, Material
from campaigns.models.wechat_chats import ChatFile, ChatMessage, FollowerRemark
from campaigns.models.wechat_codes import EntryCode
from campaigns.models.wechat_menus import MenuVersion
from campaigns.models.wechat_mini import MiniLink, PhoneCode, PrivacyGuide
from campaigns.models.wechat_reviews import TemplateReview
from campaigns.models.wechat_rights import AccountTrouble, RefusedRight
from campaigns.models.wechat_sending import AccountPause, EphemeralTag, ForeignSend, MassArticle
from campaigns.models.wechat_statistics import AccountDay, ArticleDay, Correction, Statistic
from campaigns.models.wechat_tags import AccountTag
from campaigns.models.wecom import Staff, StaffContact, StaffTask
from campaigns.models.wecom_arrivals import ArrivalWay, Welcome
from campaigns.models.wecom_figures import AcquisitionQuota, StaffDay
from campaigns.models.wecom_media import Picture, UploadedPicture
from campaigns.models.wecom_work import CustomerGroup, CustomerTag, HandedOver, Handover, Moment, MomentTask

__all__ = [
    "AccountDay",
    "AccountPause",
    "AccountTag",
    "AccountToken",
    "AccountTrouble",
    "AccountUse",
    "AcquisitionQuota",
    "Alarm",
    "ArrivalWay",
    "Article",
    "ArticleDay",
    "BulkJob",
    "Callback",
    "Campaign",
    "ChannelAccount",
    "ChannelLimit",
    "ChatFile",
    "ChatMessage",
    "Correction",
    "Credit",
    "CustomerGroup",
    "CustomerTag",
    "Delivery",
    "EntryCode",
    "EphemeralTag",
    "Figures",
    "Follower",
    "FollowerRemark",
    "ForeignSend",
    "FrequencyCap",
    "Guardrail",
    "HandedOver",
    "Handover",
    "Inbound",
    "Journey",
    "JourneyEntry",
    "JourneyVersion",
    "LedgerReader",
    "Link",
    "ListMember",
    "MassArticle",
    "Material",
    "MenuVersion",
    "MiniLink",
    "Moment",
    "MomentTask",
    "Outcome",
    "Passage",
    "PhoneCode",
    "Picture",
    "PlatformTemplate",
    "PrivacyGuide",
    "Reaction",
    "RefusedRight",
    "Run",
    "Segment",
    "SegmentMember",
    "SegmentSnapshot",
    "SegmentVersion",
    "SendingPolicy",
    "ServiceWindow",
    "Staff",
    "StaffContact",
    "StaffDay",
    "StaffTask",
    "Statistic",
    "Template",
    "TemplateReview",
    "TemplateVersion",
    "UploadedPicture",
    "Variant",
    "Visit",
    "WebhookAttempt",
    "WebhookEndpoint",
    "WebhookMessage",
    "Welcome",
]
