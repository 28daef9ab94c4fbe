"""Background work on the record."""

from celery import shared_task
from django.utils import timezone

from crm.models import JobRun


@shared_task
def import_file(job_id: int) -> bool:
    """Import the file of a job; ringing twice, or after a kill, is harmless."""
    from crm.imports.job import run

    return run(JobRun.objects.get(pk=job_id), clock=timezone.now)


@shared_task
def resume_imports() -> int:
    """Go on with imports whose worker was killed, and begin those whose bell was lost; beat rings this."""
    from crm.imports.uploads import forget_uploads

    now = timezone.now()
    forget_uploads(now)
    left = JobRun.objects.silent(now) | JobRun.objects.unheard(now)
    return sum(import_file(job.pk) for job in left.filter(kind="import")[:1])


@shared_task
def sequence_ledger() -> int:
    """Number what was appended to the ledger; its bell and beat ring this."""
    from crm.sequencer import sequence

    return sequence(timezone.now())


@shared_task
def carry_out(request_id: int) -> bool:
    """Do what a privacy request asks for; ringing twice, or after a kill, is harmless."""
    from crm import carrying_out
    from crm.locks import Busy

    try:
        return carrying_out.run(request_id, timezone.now)
    except Busy:
        return False  # whoever is at it does it


@shared_task
def work_on_requests() -> int:
    """Go on with requests that were begun, and warn of those that come due; beat rings this."""
    from crm import alerts
    from crm.models import PrivacyRequest

    begun = PrivacyRequest.objects.filter(status=PrivacyRequest.Status.EXECUTING).order_by("received_at")
    done = sum(carry_out(pk) for pk in begun.values_list("pk", flat=True)[:100])
    alerts.warn(timezone.now())
    return done


@shared_task
def send_mails() -> int:
    """Write to officers of requests that come due or are late, and to guardians; beat rings this."""
    from crm import guardians, warning_mails
    from crm.locks import Busy

    done = guardians.write_all(timezone.now())
    warning_mails.notice(timezone.now())
    try:
        return done + warning_mails.send(timezone.now())
    except Busy:
        return done


@shared_task
def write_to_guardian(link_id: int) -> bool:
    """Mail a guardian the link that a child asked for; ringing twice, or after a kill, is harmless."""
    from crm import guardians

    return guardians.write(link_id, timezone.now())


@shared_task
def retain() -> int:
    """Let go what is past its time; beat rings this once a day."""
    from crm import packs, retention
    from crm.locks import Busy

    packs.delete_expired(timezone.now())
    try:
        report = retention.run(timezone.now, dry_run=False).report
    except Busy:
        return 0
    return sum(one["deleted"] for one in report)


@shared_task
def publish_checkpoints() -> int:
    """Give the newest checkpoint to those who wait for one, and return how many took it; beat rings this."""
    from crm.locks import Busy
    from crm.publishing import publish_due

    try:
        return sum(not copy.error for copy in publish_due(timezone.now()))
    except Busy:
        return 0


@shared_task
def rehearse_retention(user_id: int) -> int:
    """Count what a pass of retention would take, for whoever asked."""
    from django.contrib.auth.models import User

    from crm import retention
    from crm.locks import Busy

    try:
        return retention.run(timezone.now, dry_run=True, user=User.objects.filter(pk=user_id).first()).pk
    except Busy:
        return 0


@shared_task
def export_bundle(job_id: int) -> bool:
    """Make an audit bundle that was ordered; ringing twice, or after a kill, is harmless."""
    from crm.audit import orders

    return orders.run(JobRun.objects.get(pk=job_id), clock=timezone.now)


@shared_task
def check_ledger(job_id: int) -> bool:
    """Derive the whole ledger again, as ordered on the compliance page."""
    from crm.audit import checking

    return checking.run(JobRun.objects.get(pk=job_id), clock=timezone.now)


@shared_task
def remove_bundles() -> int:
    """Remove audit bundles whose time is up; beat rings this."""
    from crm.audit import orders

    return orders.remove_expired(timezone.now())


@shared_task
def celebrate() -> int:
    """Let minors who had a birthday grow up; beat rings this."""
    from crm.ages import celebrate as move_on

    return move_on(timezone.now())


@shared_task
def note_hindrances() -> int:
    """Note in the ledger who came to be suppressed or under age, and who is no more; beat rings this."""
    from crm import hindrances

    return hindrances.note(timezone.now())


@shared_task
def forget_answers() -> int:
    """Forget the answers to repeatable requests, and old links of guardians; beat rings this."""
    from crm import guardians, idempotency

    return idempotency.forget(timezone.now()) + guardians.forget(timezone.now())
