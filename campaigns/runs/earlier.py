"""Who got the message of a once-only campaign before it was changed, approved again and planned again."""

from collections.abc import Sequence

from campaigns.models import Campaign, Delivery, Run
from crm.merging import members_of


def ran(run: Run) -> bool:
    """Tell whether the message of this run is one that an earlier run began to send."""
    once = run.campaign.kind == Campaign.Kind.ONCE
    return once and Run.objects.filter(campaign=run.campaign_id).exclude(pk=run.pk).exists()


def had(run: Run, people: Sequence[int]) -> set[int]:
    """Return who got it or was held out of it, as whoever she was then: nobody gets it twice.

    Where it definitely failed it may be tried again; where nobody knows whether it came, it is not.
    """
    members = members_of(people)
    person_of = {member: person for person, some in members.items() for member in some}
    rows = Delivery.objects.filter(run__campaign=run.campaign_id, profile__in=person_of).exclude(run=run)
    got = rows.filter(status__in=Delivery.HANDED_OFF | {Delivery.Status.HELD_OUT})
    return {person_of[profile] for profile in got.values_list("profile_id", flat=True)}
