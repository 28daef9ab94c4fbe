"""What the demonstration's campaigns can be tried with: made up, marked as such, and nothing of it can leave.

Every household of the sample gets an e-mail address under ``example.invalid``, which no mail server can ever deliver
to (RFC 2606), and the one account is the imitation of a provider. The campaign itself is a draft: to review, approve
and start it is the visitor's.
"""

from datetime import datetime
from typing import Any
from uuid import uuid4

from django.db import transaction

from campaigns.models import Campaign, ChannelAccount, Segment, Template, Variant
from campaigns.segmenting import segments
from campaigns.templating import template_saving
from crm import identity
from crm.models import Channel, Identifier, Purpose, Source

SOURCE = "Synthetic addresses (made up for the demonstration)"
SAMPLE = "Complete Journey"
DOMAIN = "example.invalid"
SEGMENTS: dict[str, dict[str, Any]] = {
    "Likely to leave (demonstration)": {"all": [{"score": "churn", "is": "top_share", "value": 0.3}]},
    "Ten purchases in the last month of the data (demonstration)": {
        "all": [
            {
                "event": "purchase",
                "within": {"from": "2017-12-01", "until": "2018-01-01"},
                "measure": {"count": {"is": "at_least", "value": 10}},
            }
        ]
    },
}
ENGLISH = {
    "subject": "Picked for you: {{ recommendations[0].title }}",
    "html": """<h1>Good to have you</h1>
<p>These may be to your taste:</p>
<ul>{% for item in recommendations limit: 3 %}<li>{{ item.title }}</li>{% endfor %}</ul>
<p><a href="https://shop.example/offers">See this week's offers</a></p>
<p><small>You may <a href="{{ unsubscribe.url }}">unsubscribe</a> at any time.</small></p>""",
}
CHINESE = {
    "subject": "为您挑选：{{ recommendations[0].title }}",
    "html": """<h1>感谢一路相伴</h1>
<p>以下商品或许合您心意：</p>
<ul>{% for item in recommendations limit: 3 %}<li>{{ item.title }}</li>{% endfor %}</ul>
<p><a href="https://shop.example/offers">查看本周优惠</a></p>
<p><small>您可随时<a href="{{ unsubscribe.url }}">退订</a>。</small></p>""",
}


def seed(now: datetime) -> bool:
    """Write addresses, an account, segments, a template and a draft; tell whether they were not there already."""
    with transaction.atomic():
        source, new = Source.objects.get_or_create(name=SOURCE, defaults={"kind": Source.Kind.SYSTEM})
        purpose = Purpose.objects.filter(code="marketing").first()
        if new and purpose is not None:
            _addresses(source, now)
            _campaign(purpose, now)
        return new


def _addresses(source: Source, now: datetime) -> None:
    households = Identifier.objects.filter(source__name=SAMPLE, type=Identifier.Type.EXTERNAL_ID)
    people = [
        [(one.type, one.value), (Identifier.Type.EMAIL.value, f"household-{one.value}@{DOMAIN}")] for one in households
    ]
    identity.resolve(people, source=source, now=now)


def _campaign(purpose: Purpose, now: datetime) -> None:
    ChannelAccount.objects.create(
        name="Imitation of a mail provider (demonstration)",
        channel=Channel.EMAIL,
        provider="stub",
        hook=uuid4(),
        created_at=now,
    )
    made = [Segment.objects.create(name=name, created_at=now) for name in SEGMENTS]
    for segment, rule in zip(made, SEGMENTS.values(), strict=True):
        segments.save(segment, rule, None, now)
    template = Template.objects.create(name="Picked for you (demonstration)", created_at=now)
    forms = {"email": {"en": ENGLISH, "zh-hans": CHINESE}}
    version = template_saving.save(template, forms, {}, by=None, now=now)
    campaign = Campaign.objects.create(
        name="Win back (demonstration)",
        purpose=purpose,
        segment=made[0],
        channels=[Channel.EMAIL],
        created_at=now,
    )
    Variant.objects.create(campaign=campaign, name="A", template=version)
