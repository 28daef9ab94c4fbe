"""Whom a step's messages would reach today, on which channel, and why not the others: asked of each once."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from campaigns.journeys import preferences
from campaigns.journeys.graph import Send
from campaigns.models import Campaign, Variant
from campaigns.reach.audience import reach
from campaigns.wechat import reaching


class Reach:
    """What is known of the people who came to one step.

    What platforms demand of people for a message is asked once a version with it was submitted: before, there is no
    such message of the campaign's.
    """

    def __init__(self, step: Send, campaign: Campaign, now: datetime) -> None:
        self.step, self.purpose, self.now = step, campaign.purpose, now
        templates = [template for _name, template, _weight in step.variants]
        variants = list(Variant.objects.filter(campaign=campaign, template__in=templates).values_list("pk", flat=True))
        self.demands = reaching.demands(campaign, variants) if variants else None
        self.found: dict[int, tuple[str, str]] = {}

    def channels(self, people: Sequence[int]) -> dict[int, str]:
        """Return on which channel each is reached; on none: an empty text."""
        new = [person for person in dict.fromkeys(people) if person not in self.found]
        for channels, some in preferences.by_order(self.step, new, self.now) if new else ():
            told = reach(some, channels, self.purpose, self.now, self.demands)
            rows = zip(told.profiles.tolist(), told.channels.tolist(), told.reasons.tolist(), strict=True)
            self.found |= {person: (channel, reason) for person, channel, reason in rows}
        return {person: self.found[person][0] for person in people}

    def counted(self) -> Counter[str]:
        """Return how many people are reached by channel, and how many are not by reason."""
        return Counter(channel or reason for channel, reason in self.found.values())
