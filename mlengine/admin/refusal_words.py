"""The sentences in which a training or a search is refused, as errors keep them, and as a reader is told."""

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# By regular expression, those of ``NotEnoughData`` and ``NoSuchChoice``: a test reads where they are raised.
SENTENCES: Final[Mapping[str, Promise]] = {
    (r"There are no (?P<kind>.+) events at all\."): _("There are no events of this kind at all: %(kind)s."),
    (r"Needs (?P<least>.+) days of (?P<kind>.+) events before the cutoff, has (?P<there>.+)\."): _(
        "%(least)s days with events of this kind are needed, there are %(there)s: %(kind)s."
    ),
    (r"(?P<model>.+) has (?P<there>.+) messages sent, but all of late: wait a month\."): _(
        "%(there)s messages were sent, but all of late: wait a month."
    ),
    (
        r"(?P<model>.+) needs (?P<least>.+) messages sent and (?P<answers>.+) clicks on them, has "
        r"(?P<there>.+) and (?P<answered>.+)\."
    ): _("%(least)s messages sent and %(answers)s clicks on them are needed, there are %(there)s and %(answered)s."),
    (
        r"(?P<model>.+) needs (?P<least>.+) messages sent and (?P<answers>.+) orders after them, has "
        r"(?P<there>.+) and (?P<answered>.+)\."
    ): _("%(least)s messages sent and %(answers)s orders after them are needed, there are %(there)s and %(answered)s."),
    (
        r"(?P<model>.+) needs (?P<least>.+) messages sent and (?P<answers>.+) coupons used after them, has "
        r"(?P<there>.+) and (?P<answered>.+)\."
    ): _(
        "%(least)s messages sent and %(answers)s coupons of them used are needed, there are %(there)s and %(answered)s."
    ),
    (r"Companions need 2 items with (?P<buyers>.+) buyers \(there are (?P<there>.+)\)\."): _(
        "Two items with %(buyers)s buyers each are needed, there are %(there)s."
    ),
    (r"No basket of two known items from (?P<begins>.+) to (?P<ends>.+)\."): _(
        "No basket of two known items from %(begins)s to %(ends)s."
    ),
    (r"Nobody has bought anything on two days yet\."): _("Nobody has bought anything on two days yet."),
    (r"Nobody bought anything again within (?P<days>.+) days from (?P<day>.+) on\."): _(
        "Nobody bought anything again within %(days)s days from %(day)s on."
    ),
    (r"Nobody bought anything known within (?P<days>.+) days from (?P<day>.+) on\."): _(
        "Nobody bought anything known within %(days)s days from %(day)s on."
    ),
    (
        r"Needs (?P<least>.+) people active before the cutoff to (?:find clusters|tell quintiles), has "
        r"(?P<there>.+)\."
    ): _("%(least)s active people are needed to tell groups apart, there are %(there)s."),
    (
        r"Needs people who left and people who stayed; of (?P<there>.+) examples at (?P<dates>.+) cutoffs "
        r"(?P<left>.+) left and (?P<stayed>.+) stayed\."
    ): _(
        "People who left and people who stayed are needed; of %(there)s examples, %(left)s left and %(stayed)s stayed."
    ),
    (r"Needs weeks with and without coming back; of (?P<there>.+) (?P<back>.+) had\."): _(
        "Weeks with and without coming back are needed; of %(there)s, %(back)s had somebody come back."
    ),
    (r"None of the (?P<there>.+) people predicted can be judged at (?P<day>.+)\."): _(
        "None of the %(there)s people predicted can be judged at %(day)s."
    ),
    (r"Nobody was put into a group at (?P<day>.+)\."): _("Nobody was put into a group at %(day)s."),
    (r"Needs (?P<least>.+) people who purchased, there are (?P<there>.+)\."): _(
        "%(least)s people who purchased are needed, there are %(there)s."
    ),
    (r"Needs (?P<least>.+) people who paid anything, there are (?P<there>.+)\."): _(
        "%(least)s people who paid anything are needed, there are %(there)s."
    ),
    (r"There are no purchases at all\."): _("There are no purchases at all."),
    (r"Needs (?P<least>.+) buyers to learn from, has (?P<there>.+) at (?P<dates>.+) cutoffs\."): _(
        "%(least)s buyers are needed to learn from, there are %(there)s."
    ),
    (r"(?P<least>.+) days of purchases are needed to learn from; there are (?P<there>.+)\."): _(
        "%(least)s days of purchases are needed to learn from, there are %(there)s."
    ),
    (r"No pair of person and item that could have been bought again\."): _("Nobody could have bought an item again."),
    (r"No pair of person and item that could have been newly taken to\."): _(
        "Nobody could have newly taken to an item."
    ),
    (
        r"Campaign uplift needs (?P<least>.+) people drawn to get a message and .+ held out by lot to "
        r"learn from, and later (?P<later>.+) of each to be judged by; there are (?P<treated>.+) and "
        r"(?P<others>.+) in (?P<runs>.+) runs\."
    ): _(
        "%(least)s people drawn to get a message and as many held out by lot are needed, and later "
        "%(later)s of each to judge by; there are %(treated)s and %(others)s in %(runs)s runs."
    ),
    (
        r"Campaign uplift needs (?P<least>.+) people drawn to get a message and .+ held out by lot, has "
        r"(?P<treated>.+) and (?P<others>.+)\."
    ): _(
        "%(least)s people drawn to get a message and as many held out by lot are needed, there are "
        "%(treated)s and %(others)s."
    ),
    (
        r"No campaign held anybody out by lot, so nobody can tell what messages cause: .+ \((?P<whole>.+) "
        r"runs without held-out people, (?P<mismatched>.+) whose groups are not of the size drawn\.\)"
    ): _(
        "No campaign held anybody out by lot, so nobody can tell what messages cause: plan campaigns "
        "with a holdout. Runs without held-out people: %(whole)s; runs whose groups are not of the "
        "size drawn: %(mismatched)s."
    ),
    (r"(?P<model>.+): no date lies early enough before (?P<day>.+) to judge trials at\."): _(
        "No date lies early enough before %(day)s to judge trials at."
    ),
    (
        r"(?P<subject>\S+) has no valid impact assessment, so it may not be used\. Somebody has to write one and"
        r" somebody else to approve it \(Compliance, Impact assessments\)\."
    ): _(
        "%(subject)s has no valid impact assessment, so it may not be used. Somebody has to write one and"
        " somebody else to approve it (Compliance, Impact assessments)."
    ),
    (r"(?P<model>.+) has no parameters to search\."): _("%(model)s has no parameters to search."),
    (r"(?P<model>.+) cannot be trained with (?P<parameter>\w+) (?P<value>.+)\."): _(
        "%(model)s cannot be trained with this choice: %(parameter)s %(value)s."
    ),
}
# What ``Recommendations`` misses, each with how much there is.
OF_PURCHASES: Final[Mapping[str, Promise]] = {
    "people who bought": _("%(least)s people who bought are needed, there are %(there)s."),
    "items bought": _("%(least)s items bought are needed, there are %(there)s."),
    "purchases": _("%(least)s purchases are needed, there are %(there)s."),
    "relations between people": _("%(least)s relations between people are needed, there are %(there)s."),
}
