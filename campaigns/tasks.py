"""Background work on campaigns' messages."""

from celery import shared_task
from django.utils import timezone

A_MOMENT = 8.0  # where other systems are waited for, and what else is in the queue waits too
A_WHILE = 25.0  # seconds of one task; the next bell or tick goes on


@shared_task
def send() -> dict[str, int]:
    """Send what is due, for a while; the bell and beat ring this, any number of workers may run it."""
    from campaigns import bell
    from campaigns.worker import Worker

    bell.answer()
    return dict(Worker(timezone.now).run(A_WHILE))


@shared_task
def recover() -> int:
    """Put back or give up what lost workers held, and what nobody could send in time; beat rings this."""
    from campaigns import sending

    return sum(sending.recover(timezone.now())) + sending.expire(timezone.now())


@shared_task
def ask_again() -> dict[str, int]:
    """Ask again for what is unknown, by the same key, where the provider knows it; beat rings this."""
    from campaigns import reconciling

    return dict(reconciling.ask_again(timezone.now))


@shared_task
def work_on_callbacks() -> int:
    """Work on what providers told and nobody has worked on; beat rings this."""
    from campaigns import feedback

    return feedback.work(timezone.now())


@shared_task
def tell_log() -> int:
    """Tell the event log what became of messages; beat rings this."""
    from campaigns import outbox

    return outbox.tell_log(timezone.now())


@shared_task
def tick() -> None:
    """Start, go on with and finish what is due of campaigns; beat rings this."""
    from campaigns import running

    running.tick(timezone.now())


@shared_task
def plan(job_id: int) -> bool:
    """Plan the run of a job; ringing twice, or after a kill, is harmless."""
    from campaigns import running
    from crm.models import JobRun

    return running.plan(JobRun.objects.get(pk=job_id), clock=timezone.now)


@shared_task
def tell_visits() -> int:
    """Tell the event log which links were followed and which messages opened; beat rings this."""
    from campaigns import tracking

    return tracking.tell_log(timezone.now())


@shared_task
def count_segment(job_id: int) -> bool:
    """Count a rule exactly; ringing twice is harmless."""
    from campaigns import counting
    from crm.models import JobRun

    return counting.run(JobRun.objects.get(pk=job_id), timezone.now)


@shared_task
def read_list(job_id: int) -> bool:
    """Put those into a list whom a file names; ringing twice is harmless."""
    from campaigns import list_files
    from crm.models import JobRun

    return list_files.run(JobRun.objects.get(pk=job_id), timezone.now)


@shared_task
def take_snapshots() -> int:
    """Write down who came to each segment and who left; beat rings this."""
    from campaigns import counting, snapshots

    counting.forget(timezone.now())
    return snapshots.take_due(timezone.now())


@shared_task
def count_figures() -> int:
    """Count anew what the reports of campaigns are made of, where it can still change; beat rings this."""
    from campaigns import figures

    return figures.refresh(timezone.now())


@shared_task
def count_report(campaign_id: int) -> bool:
    """Count a large report for the first time, while somebody's page waits for it; ringing twice is harmless."""
    from campaigns import figures
    from campaigns.models import Campaign

    campaign = Campaign.objects.get(pk=campaign_id)
    return figures.is_waiting(campaign) and bool(figures.count(campaign, timezone.now()))


@shared_task
def tell_others() -> dict[str, int]:
    """Tell other systems what happened; beat rings this, and any number of workers may run it."""
    from campaigns import outgoing_facts, outgoing_worker

    outgoing_facts.follow(timezone.now())
    return dict(outgoing_worker.work(timezone.now, A_MOMENT))


@shared_task
def forget_told() -> int:
    """Delete what other systems were told a month ago; beat rings this."""
    from campaigns import outgoing_worker

    return outgoing_worker.forget(timezone.now())


@shared_task
def watch() -> int:
    """Pause what left its band; beat rings this."""
    from campaigns import guardrails

    return len(guardrails.watch(timezone.now()))


@shared_task
def call_people() -> int:
    """Tell the people on call which campaigns paused themselves; the alarm and beat ring this."""
    from campaigns import calling

    return calling.call(timezone.now())
