"""The Celery application, and the one schedule: it ticks, while what is due are rows."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("zhiyin")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    # In the default queue: a long training must not keep it waiting. A tick that nobody took in time is not missed.
    "learning": {"task": "mlengine.tasks.tick", "schedule": 600.0, "options": {"expires": 600.0}},
    "imports": {"task": "crm.tasks.resume_imports", "schedule": 300.0, "options": {"expires": 300.0}},
    # The net under the bell that every append rings; it has a worker of its own, so nothing long is before it.
    "ledger": {"task": "crm.tasks.sequence_ledger", "schedule": 10.0, "options": {"expires": 10.0}},
    "requests": {"task": "crm.tasks.work_on_requests", "schedule": 300.0, "options": {"expires": 300.0}},
    "mails": {"task": "crm.tasks.send_mails", "schedule": 300.0, "options": {"expires": 300.0}},
    "retention": {"task": "crm.tasks.retain", "schedule": 24 * 3600.0, "options": {"expires": 3600.0}},
    "checkpoints": {"task": "crm.tasks.publish_checkpoints", "schedule": 60.0, "options": {"expires": 60.0}},
    "bundles": {"task": "crm.tasks.remove_bundles", "schedule": 3600.0, "options": {"expires": 3600.0}},
    "birthdays": {"task": "crm.tasks.celebrate", "schedule": 6 * 3600.0, "options": {"expires": 3600.0}},
    "hindrances": {"task": "crm.tasks.note_hindrances", "schedule": 3600.0, "options": {"expires": 3600.0}},
    "answers": {"task": "crm.tasks.forget_answers", "schedule": 24 * 3600.0, "options": {"expires": 3600.0}},
    # The net under the bell that a plan rings; what is due are rows, so a tick that nobody took in time is not missed.
    "campaigns": {"task": "campaigns.tasks.tick", "schedule": 10.0, "options": {"expires": 10.0}},
    "journeys": {"task": "campaigns.tasks.walk", "schedule": 1.0, "options": {"expires": 1.0}},
    "passages": {"task": "campaigns.tasks.add_up_passages", "schedule": 1800.0, "options": {"expires": 1800.0}},
    "days of journeys": {"task": "campaigns.tasks.let_in", "schedule": 60.0, "options": {"expires": 60.0}},
    "guardrails": {"task": "campaigns.tasks.watch", "schedule": 15.0, "options": {"expires": 15.0}},
    "calls": {"task": "campaigns.tasks.call_people", "schedule": 60.0, "options": {"expires": 60.0}},
    "sending": {"task": "campaigns.tasks.send", "schedule": 5.0, "options": {"expires": 5.0}},
    "welcomes": {"task": "campaigns.tasks.welcome", "schedule": 2.0, "options": {"expires": 2.0}},
    "followers": {"task": "campaigns.tasks.revive_followers", "schedule": 300.0, "options": {"expires": 300.0}},
    "all followers": {
        "task": "campaigns.tasks.read_all_followers",
        "schedule": 24 * 3600.0,
        "options": {"expires": 3600.0},
    },
    "articles": {"task": "campaigns.tasks.ask_for_articles", "schedule": 60.0, "options": {"expires": 60.0}},
    "statistics": {"task": "campaigns.tasks.take_statistics", "schedule": 900.0, "options": {"expires": 900.0}},
    "wecom": {"task": "campaigns.tasks.follow_wecom", "schedule": 60.0, "options": {"expires": 60.0}},
    "all wecom": {"task": "campaigns.tasks.read_all_wecom", "schedule": 24 * 3600.0, "options": {"expires": 3600.0}},
    "sending to many": {"task": "campaigns.tasks.send_many", "schedule": 5.0, "options": {"expires": 5.0}},
    "jobs for many": {"task": "campaigns.tasks.ask_for_jobs", "schedule": 60.0, "options": {"expires": 60.0}},
    "lost sendings": {"task": "campaigns.tasks.recover", "schedule": 30.0, "options": {"expires": 30.0}},
    "unknown sendings": {"task": "campaigns.tasks.ask_again", "schedule": 60.0, "options": {"expires": 60.0}},
    "visits": {"task": "campaigns.tasks.tell_visits", "schedule": 10.0, "options": {"expires": 10.0}},
    "figures": {"task": "campaigns.tasks.count_figures", "schedule": 60.0, "options": {"expires": 60.0}},
    "figures anew": {
        "task": "campaigns.tasks.recount_figures",
        "schedule": 24 * 3600.0,
        "options": {"expires": 3600.0},
    },
    "callbacks": {"task": "campaigns.tasks.work_on_callbacks", "schedule": 30.0, "options": {"expires": 30.0}},
    "callbacks of WeChat": {"task": "campaigns.tasks.work_on_wechat", "schedule": 10.0, "options": {"expires": 10.0}},
    "files of conversations": {
        "task": "campaigns.tasks.fetch_chat_files",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "outbox": {"task": "campaigns.tasks.tell_log", "schedule": 30.0, "options": {"expires": 30.0}},
    "webhooks": {"task": "campaigns.tasks.tell_others", "schedule": 5.0, "options": {"expires": 5.0}},
    "webhooks told": {"task": "campaigns.tasks.forget_told", "schedule": 24 * 3600.0, "options": {"expires": 3600.0}},
    "forgetting": {"task": "config.tasks.forget_tokens", "schedule": 24 * 3600.0, "options": {"expires": 3600.0}},
    "snapshots": {"task": "campaigns.tasks.take_snapshots", "schedule": 3600.0, "options": {"expires": 3600.0}},
}
