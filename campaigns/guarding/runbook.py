"""What to do when a campaign paused itself: for whoever is called at night and did not build this.

Each alarm has what it means, what to look at first and what to do then. The page and each alarm's own read from here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from campaigns.models import Guardrail

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

Signal = Guardrail.Signal


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """One alarm: what it means, what to look at, what to do."""

    icon: str
    means: "_StrOrPromise"
    look: Sequence["_StrOrPromise"]
    do: Sequence["_StrOrPromise"]


CHAPTERS: Mapping[str, Chapter] = {
    Signal.BOUNCES: Chapter(
        icon="undo",
        means=_(
            "Many addresses do not exist any more, or mail servers send everything back. Going on costs the good name"
            " of the sender: mailboxes then put all our mail into spam."
        ),
        look=(
            _(
                "The reasons in the campaign's report: “no such address” is an old list, “policy” is a blocked "
                "sender."
            ),
            _("Where the people of the segment came from: was a file imported lately?"),
            _("Whether one domain makes up most of it: then its server has a trouble of its own."),
        ),
        do=(
            _(
                "An old list: cancel the campaign, and take those people out of the segment. Dead addresses are left "
                "out by themselves."
            ),
            _("A blocked sender: do not go on. Tell whoever runs the mail relay; morning is soon enough."),
            _("One domain only: wait an hour, then resume."),
        ),
    ),
    Signal.COMPLAINTS: Chapter(
        icon="report",
        means=_(
            "People press “this is spam”. Large mailboxes count this, and from three in a thousand on they put all our"
            " mail into spam, for weeks. Those who complained get nothing more, by themselves."
        ),
        look=(
            _(
                "The message as people see it: the preview of its template. Does it look like us? Is the way out easy"
                " to find?"
            ),
            _("Whom it reached: did they ever ask for this? Look at the segment and at its purpose."),
            _("Whether they got several messages this week: the frequency caps."),
        ),
        do=(
            _("If in doubt, leave it paused until the morning. Messages that expire meanwhile are not sent."),
            _("Wrong people or wrong words: back to draft, and change them. A colleague approves it again."),
        ),
    ),
    Signal.UNSUBSCRIBES: Chapter(
        icon="unsubscribe",
        means=_(
            "Far more people than usual do not want this any more. No harm is done yet; but whoever leaves is "
            "gone for good."
        ),
        look=(
            _("The message, and how it is announced: does it keep what its subject promises?"),
            _("How often these people were written to lately."),
        ),
        do=(
            _("Leave it paused until whoever wrote it has looked."),
            _(
                "If it is meant, as a goodbye to a brand: raise the band for this campaign, then resume with that "
                "reason."
            ),
        ),
    ),
    Signal.NEGATIVE_REPLIES: Chapter(
        icon="sentiment_very_dissatisfied",
        means=_(
            "People answer angrily: they name spam, fraud, complaints to the authorities. Words are counted by a "
            "table; some will be read wrongly."
        ),
        look=(
            _("The message as people see it. A wrong name, a wrong price, a deceased relative?"),
            _("The replies themselves stay sealed here; who has an account at the provider can read them there."),
        ),
        do=(
            _("Ask support whether people called or wrote about it, before anything goes on."),
            _("A mistake in the message: cancel it, and let a colleague decide whether an excuse is to be sent."),
        ),
    ),
    Signal.PROVIDER_ERRORS: Chapter(
        icon="cloud_off",
        means=_(
            "The provider does not take our messages, or does not answer. What definitely failed waits or goes "
            "another way; what is unknown is never sent again."
        ),
        look=(
            _("The channel account: is it refused, and why? Is its credit or its quota used up?"),
            _("The provider's own status page."),
            _("How many are “unknown” on the campaign's page: those may have arrived."),
        ),
        do=(
            _(
                "Refused account: pay, renew the key or call the provider; then set the account to active, test it, "
                "and resume."
            ),
            _("A provider that is down: wait. Messages that expire meanwhile are not sent, and the report says so."),
        ),
    ),
    Signal.AUDIENCE: Chapter(
        icon="group_add",
        means=_("Far more people belong to the segment now than when it was approved. Nothing has left yet."),
        look=(
            _("The segment's size over time, and who came: was a file imported, or a rule changed that it names?"),
            _("The dry run: do these people look right?"),
        ),
        do=(
            _("They are right: resume, and say why. As many are expected from then on."),
            _(
                "They are not: back to draft, correct the segment, and have it approved again. Nothing of the old "
                "plan is sent."
            ),
        ),
    ),
    Signal.DRIFT: Chapter(
        icon="model_training",
        means=_(
            "The model that chooses these people, or what they are shown, sees other data than it learned from. "
            "Its answers may be wrong."
        ),
        look=(
            _("The model's page: which figure has moved? A sale, a new shop, a source that went silent?"),
            _("Whether events still come in."),
        ),
        do=(
            _("A cause that you know, as a sale: resume, and say so. The next measurement is looked at anew."),
            _("None that you know: leave it paused, and ask an analyst in the morning."),
        ),
    ),
}  # fmt: skip
FIRST: Sequence["_StrOrPromise"] = (
    _("Take a breath: the campaign is paused, and nothing of it leaves. You need not hurry."),
    _("Open the alarm: it says what was seen, what is usual, and of how many messages."),
    _("If more than one campaign is affected, or you do not understand what happens: stop everything. It harms none."),
    _("Write into the alarm what you found, so that the others know that somebody is at it."),
)
STOP: Sequence["_StrOrPromise"] = (
    _("The red button stands above the list of campaigns and on each campaign's page: one click, no question."),
    _("From the next message on nothing leaves, on any channel; what was being handed over at that moment has left."),
    _("Campaigns stay as they are. Messages wait; those that expire meanwhile are not sent."),
    _(
        "Marketing, support and compliance may stop. Marketing and compliance may let messages leave again: "
        "with a reason, after their password."
    ),
    _("Who stopped, and who let it go on, is written into the ledger."),
)  # fmt: skip
