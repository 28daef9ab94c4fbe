"""Mini programs: who opened one, her phone number with her consent, and what she answered when asked to subscribe."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.channels.wechat.errors import Action, WeChatError
from campaigns.models import ChannelAccount, Follower
from campaigns.wechat import mini_login, phone_numbers, subscription_reports
from crm import consent, consent_forms, merged, person_tokens
from crm.api.browsers import ForBrowsers
from crm.api.person_tokens import LONGEST, PURPOSES
from crm.api.resources import Conflict
from crm.consent import NewConsent
from crm.models import Channel, ConsentEvent

OWN = "mini_program"  # the purpose of a person's token that opens what is the person's own
BIGGEST = 2**63 - 1
State, Kind, Method = ConsentEvent.State, ConsentEvent.ConsentKind, ConsentEvent.Method


class Unreachable(APIException):
    """The platform does not answer, or does not let the account in: nothing the caller did is wrong."""

    status_code = 503
    default_code = "platform_unavailable"


class LoginIn(serializers.Serializer[Any]):
    """What ``wx.login`` gave, and where the person came from."""

    appid = serializers.CharField(max_length=64, help_text="Of the mini program.")
    code = serializers.CharField(max_length=200, help_text="From wx.login: good once, for five minutes.")
    scene = serializers.CharField(
        max_length=32, allow_blank=True, default="", help_text="Of the link or code that led here (query.scene)."
    )
    purpose = serializers.ChoiceField(PURPOSES, default=OWN, help_text="What the token opens.")
    lifetime = serializers.IntegerField(min_value=30, max_value=LONGEST, default=300, help_text="Seconds.")


class LoginOut(serializers.Serializer[Any]):
    token = serializers.CharField(help_text="For the header Authorization: Bearer …, in the person's own mini program.")
    profile_id = serializers.IntegerField()
    purpose = serializers.CharField()
    expires_at = serializers.DateTimeField()
    is_new = serializers.BooleanField(help_text="The first login of this person to this mini program.")


class OfOneIn(serializers.Serializer[Any]):
    """Whose it is: with a person's token the person is the token's; a server application names the profile."""

    appid = serializers.CharField(max_length=64, help_text="Of the mini program.")
    profile_id = serializers.IntegerField(required=False, min_value=1, max_value=BIGGEST)


class PhoneIn(OfOneIn):
    """What the phone number's button gave, and what the person was told and agreed to."""

    agreed = serializers.BooleanField(help_text="Whether the person agreed; without it the platform is not asked.")
    code = serializers.CharField(max_length=200, allow_blank=True, default="", help_text="From the button: good once.")
    purpose = serializers.CharField(max_length=64, help_text="The code of the purpose that the number will serve.")
    channel = serializers.ChoiceField(["", Channel.SMS.value, Channel.PHONE.value], default="", allow_blank=True)
    notice = serializers.CharField(max_length=80, allow_blank=True, default="", help_text="What was told: privacy/3.")
    rendered_digest = serializers.CharField(max_length=64, allow_blank=True, default="")
    language = serializers.CharField(max_length=16, allow_blank=True, default="")
    separate = serializers.BooleanField(default=False, help_text="It was asked for by itself.")


class PhoneOut(serializers.Serializer[Any]):
    stored = serializers.BooleanField(help_text="The number is known now; it is not told here.")
    charged = serializers.BooleanField(help_text="The platform was paid for it just now.")


class SubscriptionsIn(OfOneIn):
    """What ``wx.requestSubscribeMessage`` answered, by template."""

    key = serializers.RegexField("^[A-Za-z0-9_-]{8,64}$", help_text="Of this asking: told twice, it counts once.")
    answers = serializers.DictField(
        child=serializers.ChoiceField(subscription_reports.ANSWERS), help_text="By template id, three at most."
    )

    def validate_answers(self, answers: dict[str, str]) -> dict[str, str]:
        if not 1 <= len(answers) <= subscription_reports.MOST:
            raise serializers.ValidationError(_("One to three templates."))
        if any(not (0 < len(name) <= 64 and name.isascii() and name.isprintable()) for name in answers):
            raise serializers.ValidationError(_("A template id has 1 to 64 printable ASCII characters."))
        return answers


class SubscriptionsOut(serializers.Serializer[Any]):
    pending = serializers.IntegerField(help_text="Accepts that count once the platform has told of them.")


class MiniProgramViewSet(ForBrowsers):
    """Mini programs; the session key and the openid never leave the server."""

    scopes = {
        "login": "mini-program:login",
        "phone": "mini-program:write",
        "subscriptions": "mini-program:write",
    }
    purposes = {"phone": OWN, "subscriptions": OWN}
    queryset = Follower.objects.none()
    pagination_class = None

    @extend_schema(request=LoginIn, responses=LoginOut)
    @action(detail=False, methods=["post"])
    def login(self, request: Request) -> Response:
        """Who opened the mini program: a token for this person's device, by the code of `wx.login`.

        `scene` is counted for the link or code that carried it, and for its campaign.
        """
        asked, now = self.body(LoginIn), timezone.now()
        account = _account(asked["appid"])
        try:
            found = mini_login.log_in(account, asked["code"], asked["scene"], now)
        except WeChatError as error:
            raise _refused(error) from None
        token = person_tokens.PersonToken(
            client_id=self.caller.client_id,
            profile_id=found.profile_id,
            purpose=asked["purpose"],
            expires_at=now + timedelta(seconds=asked["lifetime"]),
            epoch=self.caller.epoch,
        )
        told = {"token": person_tokens.mint(token, now), "profile_id": found.profile_id, "is_new": found.is_new}
        return Response(LoginOut(told | {"purpose": token.purpose, "expires_at": token.expires_at}).data)

    @extend_schema(request=PhoneIn, responses=PhoneOut)
    @action(detail=False, methods=["post"])
    def phone(self, request: Request) -> Response:
        """The person's phone number, by the code of the button, once she agreed to what it is for.

        The consent is recorded first. A refusal is recorded too, and costs nothing.
        """
        asked, now = self.body(PhoneIn), timezone.now()
        follower = self._follower(asked)
        told = _consent(asked)
        try:
            if not asked["agreed"]:
                return Response(PhoneOut(phone_numbers.refuse(follower, told, now)).data)
            if not asked["code"]:
                raise serializers.ValidationError({"code": _("Is needed where the person agreed.")})
            consent_forms.check_age(told, follower.identifier.profile_id, now)
            return Response(PhoneOut(phone_numbers.ask(follower, asked["code"], told, now)).data)
        except consent.ConsentRefused as refused:
            raise serializers.ValidationError({_field(refused.field): refused.reason}) from None
        except phone_numbers.CodeUsed:
            raise Conflict(_("The code was used.")) from None
        except WeChatError as error:
            raise _refused(error) from None

    @extend_schema(request=SubscriptionsIn, responses=SubscriptionsOut)
    @action(detail=False, methods=["post"])
    def subscriptions(self, request: Request) -> Response:
        """What the person answered when she was asked to subscribe, as `request_subscribe.js` reports it.

        It is kept as pending: a message may leave once the platform itself has told of the popup.
        """
        asked, now = self.body(SubscriptionsIn), timezone.now()
        follower = self._follower(asked)
        pending = subscription_reports.take(follower, asked["answers"], asked["key"], now)
        return Response(SubscriptionsOut({"pending": pending}).data)

    def _follower(self, asked: dict[str, Any]) -> Follower:
        """Return what the person is to this mini program; one answer for who is unknown and who is not one's own."""
        account = _account(asked["appid"])
        wanted = self.caller.profile_id if self.caller.is_person else asked.get("profile_id")
        own = not self.caller.is_person or asked.get("profile_id") in (None, wanted)
        person = merged.person(wanted) if own and wanted is not None else None
        found = mini_login.follower_of(account, person.profile_ids) if person and not person.restricted else None
        if found is None:
            raise serializers.ValidationError({"profile_id": _("Nobody is known by this.")})
        return found


def _account(appid: str) -> ChannelAccount:
    found = mini_login.account_of(appid)
    if found is None:
        raise serializers.ValidationError({"appid": _("No mini program of ours.")})
    return found


def _consent(asked: dict[str, Any]) -> NewConsent:
    return NewConsent(
        purpose=asked["purpose"],
        state=(State.GIVEN if asked["agreed"] else State.REFUSED).value,
        method=Method.MINI_PROGRAM.value,
        channel=asked["channel"],
        consent_kind=(Kind.SEPARATE if asked["separate"] else Kind.GENERAL).value,
        notice=asked["notice"],
        rendered_digest=asked["rendered_digest"],
        language=asked["language"],
        channel_account=asked["appid"],
        idempotency=uuid4(),
    )


def _field(name: str) -> str:
    return name if name in PhoneIn().fields else "purpose"


CODES: Mapping[int, Any] = {
    40029: gettext_lazy("The code is not good."),
    40163: gettext_lazy("The code was used."),
    40226: gettext_lazy("The platform blocks this person."),
}


def _refused(error: WeChatError) -> APIException:
    """Return the answer to a refusal: the code's fault is the caller's, all else is between the platform and us."""
    if error.code in CODES:
        return serializers.ValidationError({"code": CODES[int(error.code)]})
    if error.action in (Action.RATE, Action.QUOTA):
        return Conflict(_("The platform has had enough questions for now."))
    return Unreachable(_("The platform does not answer, or refuses the account."))
