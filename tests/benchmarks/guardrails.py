"""Guardrails: how often they err, how soon they see, and what a look at a million messages costs.

Errors and delays are simulated with a look after every message, which is more than any beat does. A false alarm is
one at exactly the rate that is usual; the delay is how many messages leave before what is not to be borne is seen,
beside Wald's bound for any test of the two rates that errs no more often.
"""

import time
from datetime import UTC, datetime, timedelta
from math import log
from typing import Any

MESSAGES, PATHS, LOOKS = 1_000_000, 2_000, 20_000
MISHAPS = 0.005
BEAT = 15.0  # seconds from one look to the next
FILL = """
INSERT INTO campaigns_delivery (id, occasion, run_id, variant_id, profile_id, channel, account_id, status, reason,
    attempt, call, provider_id, logged, planned_at, due_at, expires_at, called_at)
SELECT gen_random_uuid(), gen_random_uuid(), %(run)s, %(variant)s, %(profile)s, 'email', %(account)s,
       CASE WHEN random() < %(mishaps)s THEN 'bounced' ELSE 'accepted' END, '', 1, gen_random_uuid(), '', true,
       %(now)s, %(now)s, %(now)s, %(now)s - make_interval(secs => random() * 3600)
FROM generate_series(1, %(messages)s)
"""


def run() -> list[dict[str, Any]]:
    """Return shares, delays and seconds."""
    return [*simulated(), looked()]


def simulated() -> list[dict[str, Any]]:
    """Return how often each band errs, and how soon it sees."""
    from tests.benchmarks.databases import set_up

    set_up()
    from campaigns.guarding import guardrails
    from campaigns.guarding.bands import DEFAULTS
    from campaigns.models import Guardrail
    from tests.campaigns.test_sequential import first_alarms

    rows = []
    for signal in Guardrail.RATES:
        usual, worst = DEFAULTS[signal]
        alarms = first_alarms(usual, usual, worst, 0.05, PATHS, LOOKS)
        rows.append(_row(f"{signal}: false alarms, a look after each of {LOOKS:,} messages, asked for 5 %",
                         float((alarms <= LOOKS).mean()), "share", 0.05))  # fmt: skip
        alpha = guardrails.ALPHA
        bound = -log(alpha) / (worst * log(worst / usual) + (1 - worst) * log((1 - worst) / (1 - usual)))
        delays = first_alarms(worst, usual, worst, alpha, 500, int(12 * bound) + 50)
        rows.append(_row(f"{signal}: delay at {worst:.1%}, mean of 500", float(delays.mean()), "messages", bound))
    return rows


def looked() -> dict[str, Any]:
    """Return how long one look takes at a campaign of which a million messages left within the hour."""
    from tests.benchmarks.databases import fresh_database

    with fresh_database():
        from django.db import connection

        from campaigns.guarding import guardrails
        from campaigns.models import Run
        from campaigns.runs import planning
        from tests.campaigns import factories

        now = datetime.now(UTC)
        account, person = factories.account(), factories.person(1, consent=False)
        one = factories.campaign()
        begun = planning.begin(one, "once", now - timedelta(hours=2))
        Run.objects.filter(pk=begun.pk).update(status="sending", planned_at=now)
        facts: dict[str, Any] = {"run": begun.pk, "variant": one.variants.get().pk, "profile": person.pk, "now": now}
        with connection.cursor() as cursor:
            cursor.execute(FILL, facts | {"account": account.pk, "mishaps": MISHAPS, "messages": MESSAGES})
            cursor.execute("ANALYZE campaigns_delivery")
        times = []
        for _ in range(3):
            begins = time.perf_counter()
            assert guardrails.watch(now) == []
            times.append(time.perf_counter() - begins)
    return _row(f"a look at {MESSAGES:,} messages that left within the hour, beside the beat", min(times), "s", BEAT)


def _row(name: str, value: float, unit: str, yardstick: float) -> dict[str, Any]:
    return {"name": name, "value": round(value, 4), "unit": unit, "yardstick": round(yardstick, 4),
            "ratio": round(value / yardstick, 3)}  # fmt: skip
