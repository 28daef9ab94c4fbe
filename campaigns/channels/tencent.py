"""SMS by Tencent Cloud (2021-01-11): messages by registered templates, reports and replies by callback."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from campaigns import egress
from campaigns.channels import over_http, sms, tc3
from campaigns.channels.base import Answer, Feedback, Message, Outcome, Told
from campaigns.channels.sms import account as its_account
from campaigns.channels.sms import refused
from campaigns.models import ChannelAccount

URL = "https://sms.tencentcloudapi.com"
VERSION = "2021-01-11"
HOUR = timedelta(hours=1)
CAPPED = Outcome(answer=Answer.BUSY, reason="capped_by_provider", again_after=HOUR)
# The codes of SendSms, of a message and of the request; a name that ends in a dot stands for all that begin with it.
CODES: Mapping[str, Outcome] = {
    "FailedOperation.PhoneNumberInBlacklist": refused("blocked"),
    "FailedOperation.ContainSensitiveWord": refused("content"),
    "FailedOperation.PhoneNumberOnBlackList": refused("blocked"),
    "FailedOperation.MarketingSendTimeConstraint": Outcome(answer=Answer.BUSY, reason="quiet", again_after=HOUR),
    "FailedOperation.InsufficientBalanceInSmsPackage": its_account("no_credit"),
    "FailedOperation.SignatureIncorrectOrUnapproved": its_account("signature"),
    "FailedOperation.TemplateIncorrectOrUnapproved": its_account("template"),
    "FailedOperation.TemplateUnapprovedOrNotExist": its_account("template"),
    "FailedOperation.MissingSignature": its_account("signature"),
    "FailedOperation.MissingTemplateToModify": its_account("template"),
    "FailedOperation.NotEnterpriseCertification": its_account("account"),
    "FailedOperation.": Outcome(answer=Answer.UNKNOWN, reason="server_failed"),
    "InvalidParameterValue.IncorrectPhoneNumber": refused("no_such_address"),
    "InvalidParameterValue.ContentLengthLimit": refused("too_big"),
    "InvalidParameterValue.TemplateParameterFormatError": refused("malformed"),
    "InvalidParameterValue.TemplateParameterLengthLimit": refused("too_big"),
    "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter": refused("content"),
    "InvalidParameterValue.SdkAppIdNotExist": its_account("account"),
    "InvalidParameterValue.": refused("malformed"),
    "InvalidParameter": refused("malformed"),
    "InvalidParameter.": refused("malformed"),
    "MissingParameter": refused("malformed"),
    "MissingParameter.": refused("malformed"),
    "UnknownParameter": refused("malformed"),
    # How often one number may be written to: the provider's own caps.
    "LimitExceeded.PhoneNumberDailyLimit": Outcome(
        answer=Answer.BUSY, reason="capped_by_provider", again_after=6 * HOUR
    ),
    "LimitExceeded.PhoneNumberThirtySecondLimit": Outcome(
        answer=Answer.BUSY, reason="capped_by_provider", again_after=timedelta(seconds=40)
    ),
    "LimitExceeded.PhoneNumberOneHourLimit": CAPPED,
    "LimitExceeded.PhoneNumberSameContentDailyLimit": refused("capped_by_provider"),
    "LimitExceeded.PhoneNumberCountLimit": refused("malformed"),
    "LimitExceeded.AppDailyLimit": Outcome(answer=Answer.BUSY, reason="quota", again_after=6 * HOUR),
    "LimitExceeded.AppCountryOrRegionDailyLimit": Outcome(answer=Answer.BUSY, reason="quota", again_after=6 * HOUR),
    "LimitExceeded.DailyLimit": Outcome(answer=Answer.BUSY, reason="quota", again_after=6 * HOUR),
    "LimitExceeded.DeliveryFrequencyLimit": CAPPED,
    "LimitExceeded.": CAPPED,
    "RequestLimitExceeded": Outcome(answer=Answer.BUSY, reason="busy", again_after=timedelta(seconds=5)),
    "RequestLimitExceeded.": Outcome(answer=Answer.BUSY, reason="busy", again_after=timedelta(seconds=5)),
    "ResourceUnavailable": Outcome(answer=Answer.BUSY, reason="busy", again_after=timedelta(minutes=1)),
    "AuthFailure.SignatureExpire": its_account("clock"),
    "AuthFailure": its_account("account"),
    "AuthFailure.": its_account("account"),
    "UnauthorizedOperation": its_account("account"),
    "UnauthorizedOperation.": its_account("account"),
    "UnsupportedOperation.": refused("no_such_address"),
    "IpNotInWhitelist": its_account("account"),
    "InternalError": Outcome(answer=Answer.UNKNOWN, reason="server_failed"),
    "InternalError.": Outcome(answer=Answer.UNKNOWN, reason="server_failed"),
}
# Reports that say the number itself is dead.
DEAD = frozenset({"MK:0001", "MI:0013", "EMPTY_NUMBER", "12", "KONGHAO"})


class Tencent:
    """The adapter of Tencent Cloud's SMS."""

    channel, identifier = "sms", "phone"
    idempotent = needs_staff = False
    asynchronous = True

    def __init__(self, channel: str = "sms") -> None:
        self.channel = channel

    def check_account(self, account: ChannelAccount) -> None:
        over_http.required(account.settings, "app_id", "sign_name", "template")
        over_http.required(account.secrets or {}, "secret_id", "secret_key")

    def check_form(self, form: Mapping[str, Any]) -> Sequence[str]:
        return sms.check_form(form)

    def send(self, account: ChannelAccount, message: Message, key: UUID) -> Outcome:
        url, now = str(account.settings.get("url") or URL), datetime.now(UTC)
        host, body, secrets = urlsplit(url).netloc, _body(account, message, key), account.secrets
        told = tc3.headers(host, "SendSms", VERSION, str(account.settings.get("region") or "ap-guangzhou"))
        tag = tc3.authorization(host, "sms", body, secrets["secret_id"], secrets["secret_key"], now)
        signed = told | {"authorization": tag, "x-tc-timestamp": str(int(now.timestamp()))}
        reply = over_http.call(account, f"{url}/", signed, body)
        return reply if isinstance(reply, Outcome) else _answer(reply, now)

    def told(self, account: ChannelAccount, headers: Mapping[str, str], body: bytes, now: datetime) -> Sequence[Told]:
        return [_told(row, now) for row in sms.rows_of(account, headers, body)]


def _body(account: ChannelAccount, message: Message, key: UUID) -> bytes:
    code, params = sms.template(account, message)
    told = {
        "PhoneNumberSet": [message.to],
        "SmsSdkAppId": str(account.settings["app_id"]),
        "SignName": str(message.parts.get("signature") or account.settings["sign_name"]).strip("【】"),
        "TemplateId": code,
        "TemplateParamSet": list(params.values()),
        "SessionContext": str(key),
    }
    return json.dumps(told, ensure_ascii=False).encode()


def _answer(reply: egress.Reply, now: datetime) -> Outcome:
    told = (over_http.parsed(reply) or {}).get("Response")
    if isinstance(told, dict):
        fault, sent = told.get("Error"), told.get("SendStatusSet")
        if isinstance(fault, dict):
            return sms.outcome(CODES, str(fault.get("Code") or ""))
        if isinstance(sent, list) and len(sent) == 1 and isinstance(sent[0], dict):
            code, number = sms.texts(sent[0], "Code", "SerialNo")
            if code == "Ok":
                return Outcome(answer=Answer.ACCEPTED, provider_id=number[:200], code=code)
            return sms.outcome(CODES, code)
    found = over_http.by_status(reply, now)
    return (
        Outcome(answer=Answer.UNKNOWN, code=found.code, reason="garbage") if found.answer is Answer.ACCEPTED else found
    )


def _told(row: Mapping[str, Any], now: datetime) -> Told:
    number, code, text = sms.texts(row, "sid", "errmsg", "text")
    country, mobile = sms.texts(row, "nationcode", "mobile")
    if "text" in row:
        return Told(
            key=sms.key_of("reply", row),
            feedback=Feedback.REPLIED,
            happened_at=sms.moment(row, ("time",), now),
            address=f"+{country or 86}{mobile}" if mobile else "",
            text=text[:2000],
        )
    went = row.get("report_status") == "SUCCESS"
    return Told(
        key=sms.key_of("report", row),
        feedback=Feedback.DELIVERED if went else Feedback.BOUNCED,
        happened_at=sms.moment(row, ("user_receive_time",), now),
        provider_id=number[:200],
        code=code[:64],
        permanent=not went and code in DEAD,
    )
