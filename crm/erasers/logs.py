"""Logs that outlive the person, and then must not lead to her."""

from collections.abc import Mapping

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Value
from django.db.models.functions import Concat, Left

from crm.erasers.subject import Subject
from crm.models import PersonalDataAccess, PrivacyRequest, Profile

LONGEST = 200


def forget_admin_log(subject: Subject) -> Mapping[str, int]:
    """Delete what the admin noted of changes to the person, and take her names out of its other notes."""
    people = ContentType.objects.get_for_model(Profile)
    numbers = [str(profile) for profile in subject.profiles]
    gone = LogEntry.objects.filter(content_type=people, object_id__in=numbers).delete()[0]
    named = [
        entry.pk
        for entry in LogEntry.objects.order_by("pk").iterator(chunk_size=2000)
        if subject.mentioned_in(entry.object_repr) or subject.mentioned_in(entry.change_message)
    ]
    changed = LogEntry.objects.filter(pk__in=named).update(object_repr="–", change_message="")
    return {"deleted": gone, "changed": changed}


def forget_reasons(subject: Subject) -> Mapping[str, int]:
    """Take the words out of reasons for an access that name the person; that there was one, and by whom, stays."""
    mine = PersonalDataAccess.objects.filter(profile__in=subject.profiles).exclude(reason="")
    named = [access.pk for access in mine if subject.meant_in(access.reason)]
    return {"changed": PersonalDataAccess.objects.filter(pk__in=named).update(reason="–")}


def pseudonymise_accesses(request: PrivacyRequest, subject: Subject) -> Mapping[str, int]:
    """Leave who looked, when and why for three years, and at whom only as the request's pseudonym.

    The number goes: after a restore the database may give it to somebody else.
    """
    mine = PersonalDataAccess.objects.filter(profile__in=subject.profiles)
    named = Concat(Left("what", LONGEST), Value(f" ({request.subject})"))
    return {"kept": mine.update(profile=None, what=named)}
