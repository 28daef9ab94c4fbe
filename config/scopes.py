"""What OAuth2 clients may be allowed, and what each one is."""

from typing import Any

from oauth2_provider.scopes import BaseScopes

from config.models import ApiAccess

SCOPES = {
    "profiles:read": "Read profiles, masked",
    "profiles:unmasked": "See names, identifiers and personal traits whole",
    "events:read": "Read what people did, and when they will likely want it again",
    "scores:read": "Read people's scores",
    "recommendations:read": "Read people's recommendations",
    "clusters:read": "Read the groups that models found, and who is in them",
    "figures:read": "Read counts of people: with noise, unless profiles may be read",
    "items:read": "Read items",
    "models:read": "Read model versions and their metrics",
    "models:train": "Start the training of a model",
    "jobs:read": "Read jobs and their progress",
    "jobs:control": "Pause and cancel jobs",
    "consent:read": "Ask what people allow, and read purposes and notices",
    "consent:write": "Record what people allow, refuse and take back",
    "privacy:read": "See how people's requests about their data stand",
    "privacy:write": "Take in people's requests about their data",
    "person-tokens:create": "Let one person's browser read its own recommendations, or see and change its own consents",
    "mini-program:login": "Learn who opened a mini program, and get a token for that person's device",
    "mini-program:write": "Exchange phone numbers' codes, and report subscriptions, for a person of a mini program",
    "segments:read": "Read segments, and count them: with noise, unless profiles may be read",
    "segments:members": "Read who is in a segment",
    "segments:write": "Make and change segments, for a member of staff",
    "templates:read": "Read templates, check and preview them",
    "templates:write": "Make and change templates, for a member of staff",
    "campaigns:read": "Read campaigns, and whether messages may leave",
    "campaigns:write": "Draft, change and submit campaigns, for a member of staff",
    "campaigns:approve": "Approve and refuse colleagues' campaigns, for a member of staff",
    "campaigns:run": "Schedule, pause, resume and cancel campaigns, for a member of staff",
    "journeys:read": "Read journeys: their steps, and how many stand there if profiles may be read",
    "journeys:people": "Read who is in a journey, where, and which way she came, by people's numbers",
    "journeys:enter": "Let people into journeys that are begun by a call, and take them out",
    "deliveries:read": "Read what became of messages, by people's numbers",
    "unsubscribes:read": "Read who wants no more messages",
    "unsubscribes:write": "Record that somebody wants no more messages",
    "reports:read": "Read what campaigns caused: with noise, unless profiles may be read",
    "webhooks:read": "Read which other systems are told what, and the log of it",
    "webhooks:write": "Add, change and try webhook endpoints, and tell them again, for a member of staff",
    "sending:stop": "Stop everything that is being sent",
}


class ClientScopes(BaseScopes):  # type: ignore[misc]
    """A client gets, at most and by default, the scopes it was made with."""

    def get_all_scopes(self) -> dict[str, str]:
        return SCOPES

    def get_available_scopes(self, application: Any = None, *args: Any, **kwargs: Any) -> list[str]:
        access = ApiAccess.objects.in_force().filter(application=application).first() if application else None
        return [scope for scope in access.scopes if scope in SCOPES] if access else []

    def get_default_scopes(self, application: Any = None, *args: Any, **kwargs: Any) -> list[str]:
        return self.get_available_scopes(application)
