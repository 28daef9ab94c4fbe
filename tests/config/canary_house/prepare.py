"""Fill the house, and order tasks; told in JSON what to call people, it tells in JSON how to get in."""

import json
import sys
from typing import Any

import django

if __name__ == "__main__":
    django.setup()

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from config import embedded
from config.management.commands.create_api_client import create_client
from config.scopes import SCOPES
from crm import preference_links
from crm.models import Source
from tests import factories
from tests.config.canary_house.failures import FAILURES
from tests.config.canary_house.tasks import fail
from tests.crm import consents


def prepare(names: dict[str, str]) -> dict[str, Any]:
    """Return the keys of the house: one source, one client, one colleague, one person."""
    User.objects.create_superuser("li", password=names["password"])
    source = Source.objects.create(name="shop")
    application, secret = create_client("client", sorted(SCOPES))
    person = factories.profile(names["external_id"], name=names["name"])
    consents.purpose()
    consents.notice("offers")
    for way in range(len(FAILURES)):
        fail.delay(person.pk, way)
    return {
        "source": source.pk,
        "write_key": source.renew_key(),
        "client": [application.client_id, secret],
        "person": person.pk,
        "link": preference_links.mint(person.pk, timezone.now()),
    }


if __name__ == "__main__":
    embedded.join(settings.EMBEDDED)
    print(json.dumps(prepare(json.load(sys.stdin))))
