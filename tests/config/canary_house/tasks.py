"""Tasks that read a person and fail with what they read."""

from celery import shared_task

from crm.models import Profile
from tests.config.canary_house.failures import FAILURES


@shared_task
def fail(profile_id: int, way: int) -> None:
    """Fail in one of the ways, with the name of a person."""
    name = str(Profile.objects.get(pk=profile_id).name)
    list(FAILURES.values())[way](name)
