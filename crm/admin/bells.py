"""Which task does which kind of job: the bell that is rung when a person resumes one."""

from celery import current_app
from django.db import transaction

from crm.models import JobRun

# A task of another package is named by its dotted path, so that this package need not import it.
BELLS = {
    "import": ("crm.tasks.import_file", "ingest"),
    "train": ("mlengine.tasks.train", "ml"),
    "predict": ("mlengine.tasks.predict", "ml"),
    "nightly": ("mlengine.tasks.nightly", "ml"),
    "plan_campaign": ("campaigns.tasks.plan", "default"),
    "segment_count": ("campaigns.tasks.count_segment", "default"),
    "journey_rehearsal": ("campaigns.tasks.rehearse_journey", "default"),
    "wechat_followers": ("campaigns.tasks.read_followers", "default"),
    "wechat_tag_push": ("campaigns.tasks.push_tag", "default"),
    "wecom_customers": ("campaigns.tasks.read_wecom", "default"),
    "wecom_groups": ("campaigns.tasks.read_wecom", "default"),
    "list_upload": ("campaigns.tasks.read_list", "default"),
    "audit_bundle": ("crm.tasks.export_bundle", "default"),
    "fsck": ("crm.tasks.check_ledger", "default"),
}


def ring(job: JobRun) -> bool:
    """Tell a worker that the job waits, once the row is committed; False if nobody does jobs of its kind."""
    found = BELLS.get(job.kind)
    if found is None:
        return False
    task, queue = found
    pk = job.pk
    transaction.on_commit(lambda: current_app.send_task(task, [pk], queue=queue))
    return True
