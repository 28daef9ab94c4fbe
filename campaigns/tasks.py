"""Background work on campaigns' messages."""

from celery import shared_task
from django.utils import timezone

A_MOMENT = 8.0  # where other systems are waited for, and what else is in the queue waits too
A_WHILE = 25.0  # seconds of one task; the next bell or tick goes on


@shared_task
def send() -> dict[str, int]:
    """Send what is due, for a while; the bell and beat ring this, any number of workers may run it."""
    from campaigns import bell
    from campaigns.delivering.worker import Worker

    bell.answer()
    return dict(Worker(timezone.now).run(A_WHILE))


@shared_task
def send_many() -> dict[str, int]:
    """Send what goes to many people in one call, for a while; beat rings this, any number of workers may run it."""
    from campaigns.bulk.worker import BulkWorker

    return dict(BulkWorker(timezone.now).run(A_WHILE))


@shared_task
def recover() -> int:
    """Put back or give up what lost workers held, and what nobody could send in time; beat rings this."""
    from campaigns.bulk import jobs
    from campaigns.delivering import sending
    from campaigns.wechat import phone_numbers

    lost = sum(jobs.recover(timezone.now())) + sum(sending.recover(timezone.now()))
    lost += phone_numbers.give_up(timezone.now())
    return lost + sending.expire(timezone.now())


@shared_task
def ask_for_jobs() -> int:
    """Ask platforms how far jobs for many are, and clear away what they needed; beat rings this."""
    from campaigns.bulk import results, staff_tasks, tags

    asked = results.ask(timezone.now()) + staff_tasks.poll(timezone.now)
    return asked + tags.clear(timezone.now())


@shared_task
def ask_again() -> dict[str, int]:
    """Ask again for what is unknown, by the same key, where the provider knows it; beat rings this."""
    from campaigns.bulk import reconciling as of_jobs
    from campaigns.delivering import reconciling

    return dict(reconciling.ask_again(timezone.now) + of_jobs.ask_again(timezone.now))


@shared_task
def work_on_callbacks() -> int:
    """Work on what providers told and nobody has worked on; beat rings this."""
    from campaigns.responses import feedback

    return feedback.work(timezone.now())


@shared_task
def tell_log() -> int:
    """Tell the event log what became of messages; beat rings this."""
    from campaigns.delivering import outbox

    return outbox.tell_log(timezone.now())


@shared_task
def tick() -> None:
    """Start, go on with and finish what is due of campaigns; beat rings this."""
    from campaigns.runs import running

    running.tick(timezone.now())


@shared_task
def walk() -> int:
    """Let people into journeys, and lead on whoever is due; beat rings this, any number of workers may run it."""
    from campaigns.journeys import following

    return following.follow(timezone.now())


@shared_task
def let_in() -> int:
    """Let into journeys who came into their segments, or whose day it is; beat rings this."""
    from campaigns.journeys import occasions

    return occasions.look(timezone.now())


@shared_task
def add_up_passages() -> int:
    """Add up how many people left which step of which journey; beat rings this."""
    from campaigns.journeys import figures

    return figures.add_up()


@shared_task
def plan(job_id: int) -> bool:
    """Plan the run of a job; ringing twice, or after a kill, is harmless."""
    from campaigns.runs import running
    from crm.models import JobRun

    return running.plan(JobRun.objects.get(pk=job_id), clock=timezone.now)


@shared_task
def tell_visits() -> int:
    """Tell the event log which links were followed and which messages opened; beat rings this."""
    from campaigns.responses import tracking

    return tracking.tell_log(timezone.now())


@shared_task
def rehearse_journey(job_id: int) -> bool:
    """Walk a journey through the past; ringing twice is harmless."""
    from campaigns.journeys import rehearsals
    from crm.models import JobRun

    return rehearsals.run(JobRun.objects.get(pk=job_id), timezone.now)


@shared_task
def count_segment(job_id: int) -> bool:
    """Count a rule exactly; ringing twice is harmless."""
    from campaigns.segmenting import counting
    from crm.models import JobRun

    return counting.run(JobRun.objects.get(pk=job_id), timezone.now)


@shared_task
def read_list(job_id: int) -> bool:
    """Put those into a list whom a file names; ringing twice is harmless."""
    from campaigns.segmenting import list_files
    from crm.models import JobRun

    return list_files.run(JobRun.objects.get(pk=job_id), timezone.now)


@shared_task
def take_snapshots() -> int:
    """Write down who came to each segment and who left; beat rings this."""
    from campaigns.segmenting import counting, snapshots

    counting.forget(timezone.now())
    return snapshots.take_due(timezone.now())


@shared_task
def count_figures() -> int:
    """Bring up to date what the reports of campaigns are made of, where it can still change; beat rings this."""
    from campaigns.reporting import figures

    return figures.refresh(timezone.now())


@shared_task
def count_report(campaign_id: int) -> bool:
    """Bring a report up to date for which somebody waits, or soon may; ringing twice is harmless."""
    from campaigns.models import Campaign
    from campaigns.reporting import figures

    return figures.update_once(Campaign.objects.get(pk=campaign_id), timezone.now())


@shared_task
def recount_figures() -> int:
    """Count anew at night what was only kept up since the last one; beat rings this."""
    from campaigns.reporting import figures

    return figures.recount(timezone.now())


@shared_task
def tell_others() -> dict[str, int]:
    """Tell other systems what happened; beat rings this, and any number of workers may run it."""
    from campaigns.outgoing import facts, worker

    facts.follow(timezone.now())
    return dict(worker.work(timezone.now, A_MOMENT))


@shared_task
def forget_told() -> int:
    """Delete what other systems were told a month ago; beat rings this."""
    from campaigns.outgoing import worker

    return worker.forget(timezone.now())


@shared_task
def watch() -> int:
    """Pause what left its band; beat rings this."""
    from campaigns.guarding import guardrails

    return len(guardrails.watch(timezone.now()))


@shared_task
def call_people() -> int:
    """Tell the people on call which campaigns paused themselves, and which accounts are refused; beat rings this."""
    from campaigns.guarding import account_troubles, calling

    return calling.call(timezone.now()) + account_troubles.call(timezone.now())


@shared_task
def welcome() -> dict[str, int]:
    """Welcome who has just come to staff in WeCom; the bell and beat ring this, in a queue and a worker of its own."""
    from campaigns.wechat import welcoming

    return dict(welcoming.work(timezone.now))


@shared_task
def read_wecom(job_id: int) -> bool:
    """Read staff and customers, or groups, of a WeCom account; ringing twice, or after a kill, is harmless."""
    from campaigns.wechat import wecom_jobs

    return wecom_jobs.run(job_id, timezone.now)


@shared_task
def follow_wecom() -> None:
    """Ask WeCom what came of handovers and moments, give segments' tags, go on with lost readings; beat rings this."""
    from campaigns.wechat import wecom_jobs

    wecom_jobs.follow(timezone.now())


@shared_task
def read_all_wecom() -> int:
    """Order that everything of WeCom is read anew; beat rings this every night."""
    from campaigns.wechat import wecom_jobs

    return wecom_jobs.order_all(timezone.now())


@shared_task
def read_followers(job_id: int) -> bool:
    """Read the followers of an account; ringing twice, or after a kill, is harmless."""
    from campaigns.wechat import followers
    from crm.models import JobRun

    return followers.run(JobRun.objects.get(pk=job_id), timezone.now)


@shared_task
def revive_followers() -> int:
    """Go on with readings whose worker was killed; beat rings this."""
    from campaigns.wechat import followers

    return followers.revive(timezone.now())


@shared_task
def read_all_followers() -> int:
    """Read the followers of every official account, as no event tells of all who leave; beat rings this."""
    from campaigns.wechat import followers

    return followers.order_all(timezone.now())


@shared_task
def push_tag(job_id: int) -> bool:
    """Tell the platform who came to a tag's segment and who left; ringing twice is harmless."""
    from campaigns.wechat import account_tags
    from crm.models import JobRun

    return account_tags.run(JobRun.objects.get(pk=job_id), timezone.now)


@shared_task
def ask_for_articles() -> int:
    """Ask what became of articles that are being published; beat rings this."""
    from campaigns.wechat import publications

    return publications.ask_all(timezone.now())


@shared_task
def take_statistics() -> int:
    """Ask for the days of accounts that are due; beat rings this."""
    from campaigns.wechat import asking_statistics

    return asking_statistics.take_due(timezone.now())


@shared_task
def work_on_wechat() -> int:
    """Work on what WeChat's platforms told; the bell and beat ring this."""
    from campaigns.wechat import inbound

    inbound.answer_bell()
    return inbound.work(timezone.now())


@shared_task
def greet(code_id: int, inbound_id: int) -> bool:
    """Tell who came by a code its welcome text; ringing twice is harmless."""
    from campaigns.models import EntryCode, Inbound
    from campaigns.wechat import answering

    code = EntryCode.objects.select_related("account").get(pk=code_id)
    row = Inbound.objects.select_related("identifier").get(pk=inbound_id)
    return row.identifier is not None and answering.greet(code, row.identifier, row.key, timezone.now()) is not None


@shared_task
def fetch_chat_files() -> int:
    """Fetch what people have sent, and delete what is past its time; the bell and beat ring this."""
    from campaigns.wechat import chat_files

    return chat_files.work(timezone.now())
