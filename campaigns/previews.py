"""A template as somebody would get it, for who may not see that person in clear; and a test of it to oneself."""

from datetime import datetime
from uuid import uuid4

from django.utils import timezone, translation
from django.utils.translation import gettext as _

from campaigns import channels, objects, rendering
from campaigns.channels import Message
from campaigns.forms import Parts
from campaigns.models import ChannelAccount, TemplateVersion
from campaigns.rendering import Renderer, TemplateFailed, Tracker
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


def send_test(version: TemplateVersion, address: str, language: str, now: datetime) -> str:
    """Send a version's e-mail to a colleague, about a made-up person, and return the provider's answer.

    It is no delivery: nobody of ours gets it, so nothing is asked, counted or told to the log.
    """
    account = ChannelAccount.objects.working("email").first()
    if account is None:
        raise NoTest(_("No account of ours can send e-mail."))
    if not address:
        raise NoTest(_("Your own account has no e-mail address."))
    there = list(version.forms.get("email", {}))
    if not there:
        raise TemplateFailed("no_form", "email")
    chosen = rendering.nearest(language, there)
    parts = preview(version, "email", chosen, None)
    parts["subject"] = _("[Test] %(subject)s") % {"subject": parts["subject"]}
    message = Message(to=address, language=chosen, parts=parts, headers={"X-Zhiyin-Test": "1"})
    outcome = channels.adapter(account).send(account, message, uuid4())
    return str(outcome.answer)
