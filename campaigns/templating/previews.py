"""A template as somebody would get it, for who may not see that person in clear; and a test of it to oneself."""

import re
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from django.utils import timezone, translation
from django.utils.translation import gettext as _

from campaigns import channels
from campaigns.channels import Message
from campaigns.forms import Parts
from campaigns.models import ChannelAccount, TemplateVersion
from campaigns.templating import objects, rendering
from campaigns.templating.compiling import Tracker
from campaigns.templating.rendering import Renderer, TemplateFailed
from crm.models import Profile
from crm.privacy import masked_name


class NoTest(ValueError):
    """No test can be sent; the message says why."""


class Masked(objects.Objects):
    """The objects of people whose names are masked, as everywhere where nobody asked to see them."""

    def named(self, name: str, gender: str, language: str) -> dict[str, object]:
        return super().named(masked_name(name), gender, language)


def preview(version: TemplateVersion, channel: str, language: str, profile: int | None) -> Parts:
    """Return the parts of a message to somebody, masked, or to nobody; its links lead where they lead."""
    renderer = Renderer(version, None, channel)
    form, now = renderer.forms[language], timezone.now()
    if profile is None:
        seen = objects.example(objects.Needs.of(set(form.paths)), now)
    else:
        masked = Masked(renderer.objects.needs, renderer.objects.fallbacks)
        masked.prepare([profile], now)
        if profile not in masked.profiles:
            raise TemplateFailed("no_person", f"#{profile}")
        seen = masked.of(profile, language)
    with translation.override(language):
        return rendering.filled(form, seen, Tracker(urls=form.urls))


TESTED = ("email", "sms", "webhook")  # what an account of ours can send to whoever asks
A_NUMBER = re.compile(r"\+?[0-9][0-9 ()-]{5,19}")


def send_test(version: TemplateVersion, channel: str, address: str, language: str, now: datetime) -> str:
    """Send a version's message to a colleague, about a made-up person, and return the provider's answer.

    It is no delivery: nobody of ours gets it, so nothing is asked, counted or told to the log.

    Raises
    ------
    NoTest
        It cannot be sent, or would go to somebody whom we know.
    TemplateFailed
        It cannot be written.
    """
    account = ChannelAccount.objects.working(channel).first() if channel in TESTED else None
    if account is None:
        raise NoTest(_("No account of ours can send a test on this channel."))
    there = list(version.forms.get(channel, {}))
    if not there:
        raise TemplateFailed("no_form", channel)
    chosen = rendering.nearest(language, there)
    message = Message(to=_address(channel, address), language=chosen, parts=preview(version, channel, chosen, None))
    if channel == "email":
        parts = {**message.parts, "subject": _("[Test] %(subject)s") % {"subject": message.parts["subject"]}}
        message = replace(message, parts=parts, headers={"X-Zhiyin-Test": "1"})
    try:
        outcome = channels.adapter(account).send(account, message, uuid4())
    except channels.ChannelError as error:
        raise NoTest(str(error)) from error
    return f"{outcome.answer} {outcome.code}".strip()


def _address(channel: str, told: str) -> str:
    """Return where a test goes: one's own mailbox, a telephone that is nobody's whom we know, or the webhook's."""
    if channel == "email":
        if not told:
            raise NoTest(_("Your own account has no e-mail address."))
        return told
    if channel == "webhook":
        return "test"
    if not A_NUMBER.fullmatch(told.strip()):
        raise NoTest(_("Say to which telephone: digits, with the country's number if it is abroad."))
    if Profile.objects.identified("phone", told.strip()).exists():
        raise NoTest(_("This is the number of somebody whom we know: only a campaign may write to her."))
    return told.strip()
