"""What a template says on each channel: one frozen form a channel, read from JSON at the edge.

A form names its *sources*: the texts in Liquid that it is made of, by path, and of which kind each is. It says how the
rendered texts are put together into the parts that the channel's adapter sends (``campaigns.channels.Message.parts``).
"""

from campaigns.forms.base import Form, FormError, Parts, Render, Source, Writing
from campaigns.forms.plain import MOST_SMS_PARTS, EmailForm, NoteForm, SmsForm, WebhookForm
from campaigns.forms.reading import FORMS, KINDS, bulk, kind_of, parse
from campaigns.forms.wechat import (
    KEYS,
    ArticleForm,
    MassTextForm,
    ServiceForm,
    StaffForm,
    SubscriptionForm,
    TemplateMessageForm,
    type_of,
)

__all__ = [
    "FORMS",
    "KEYS",
    "KINDS",
    "MOST_SMS_PARTS",
    "ArticleForm",
    "EmailForm",
    "Form",
    "FormError",
    "MassTextForm",
    "NoteForm",
    "Parts",
    "Render",
    "ServiceForm",
    "SmsForm",
    "Source",
    "StaffForm",
    "SubscriptionForm",
    "TemplateMessageForm",
    "WebhookForm",
    "Writing",
    "bulk",
    "kind_of",
    "parse",
    "type_of",
]
