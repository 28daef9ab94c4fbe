"""What the site itself does from time to time."""

from celery import shared_task


@shared_task(name="config.tasks.forget_tokens")
def forget_tokens() -> None:
    """Delete access tokens that have expired, and sessions with them."""
    from django.core.management import call_command

    call_command("cleartokens", verbosity=0)
    call_command("clearsessions", verbosity=0)
