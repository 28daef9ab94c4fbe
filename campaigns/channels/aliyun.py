"""SMS by Alibaba Cloud (Dysmsapi 2017-05-25): messages by registered templates, reports and replies by callback."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from campaigns import egress
from campaigns.channels import acs3, over_http, sms
from campaigns.channels.base import Answer, Feedback, Message, Outcome, Told
from campaigns.channels.sms import account as its_account
from campaigns.channels.sms import refused
from campaigns.models import ChannelAccount

URL = "https://dysmsapi.aliyuncs.com"
HOUR = timedelta(hours=1)
# The codes of SendSms; a name that ends in a dot stands for all that begin with it.
CODES: Mapping[str, Outcome] = {
    "isv.MOBILE_NUMBER_ILLEGAL": refused("no_such_address"),
    "isv.DOMESTIC_NUMBER_NOT_SUPPORTED": refused("no_such_address"),
    "isv.BLACK_KEY_CONTROL_LIMIT": refused("content"),
    "isv.SMS_CONTENT_ILLEGAL": refused("content"),
    "isv.PARAM_LENGTH_LIMIT": refused("too_big"),
    "isv.PARAM_NOT_SUPPORT_URL": refused("content"),
    "isv.TEMPLATE_PARAMS_ILLEGAL": refused("malformed"),
    "isv.TEMPLATE_MISSING_PARAMETERS": refused("malformed"),
    "isv.INVALID_JSON_PARAM": refused("malformed"),
    "isv.INVALID_PARAMETERS": refused("malformed"),
    "isv.MOBILE_COUNT_OVER_LIMIT": refused("malformed"),
    "isv.SMS_TEMPLATE_ILLEGAL": its_account("template"),
    "isv.SMS_SIGNATURE_ILLEGAL": its_account("signature"),
    "isv.SMS_SIGNATURE_SCENE_ILLEGAL": its_account("signature"),
    "isv.SMS_SIGN_ILLEGAL": its_account("signature"),
    "isv.EXTEND_CODE_ERROR": its_account("signature"),
    "isv.OUT_OF_SERVICE": its_account("account"),
    "isv.PRODUCT_UN_SUBSCRIPT": its_account("account"),
    "isv.PRODUCT_UNSUBSCRIBE": its_account("account"),
    "isv.ACCOUNT_NOT_EXISTS": its_account("account"),
    "isv.ACCOUNT_ABNORMAL": its_account("account"),
    "isv.AMOUNT_NOT_ENOUGH": its_account("no_credit"),
    "isv.DENY_IP_RANGE": its_account("account"),
    "isp.RAM_PERMISSION_DENY": its_account("account"),
    "InvalidAccessKeyId.": its_account("account"),
    "Forbidden.": its_account("account"),
    "SignatureDoesNotMatch": its_account("account"),
    "IncompleteSignature": its_account("account"),
    "InvalidTimeStamp.": its_account("clock"),  # this server's clock is wrong: no message of it will be taken
    # How often one number may be written to: the provider's own caps.
    "isv.BUSINESS_LIMIT_CONTROL": Outcome(answer=Answer.BUSY, reason="capped_by_provider", again_after=HOUR),
    "isv.DAY_LIMIT_CONTROL": Outcome(answer=Answer.BUSY, reason="quota", again_after=6 * HOUR),
    "isv.MONTH_LIMIT_CONTROL": its_account("quota"),
    "Throttling": Outcome(answer=Answer.BUSY, reason="busy", again_after=timedelta(seconds=5)),
    "Throttling.": Outcome(answer=Answer.BUSY, reason="busy", again_after=timedelta(seconds=5)),
    "ServiceUnavailable": Outcome(answer=Answer.BUSY, reason="busy", again_after=timedelta(minutes=1)),
    # The number of this hand-off was seen before: its first try came through, and what it got is not told.
    "SignatureNonceUsed": Outcome(answer=Answer.UNKNOWN, reason="repeated"),
    "isp.SYSTEM_ERROR": Outcome(answer=Answer.UNKNOWN, reason="server_failed"),
    "isp.GATEWAY_ERROR": Outcome(answer=Answer.UNKNOWN, reason="server_failed"),
    "InternalError": Outcome(answer=Answer.UNKNOWN, reason="server_failed"),
}
# Codes of reports that say the number itself is dead.
DEAD = frozenset(
    {"MK:0001", "MI:0013", "UNDELIV_EMPTY", "SPACE_PHONE", "MOBILE_NOT_ON_SERVICE", "isv.MOBILE_NUMBER_ILLEGAL"}
)


class Aliyun:
    """The adapter of Alibaba Cloud's SMS."""

    channel, identifier = "sms", "phone"
    idempotent = needs_staff = False
    asynchronous = True

    def __init__(self, channel: str = "sms") -> None:
        self.channel = channel

    def check_account(self, account: ChannelAccount) -> None:
        over_http.required(account.settings, "sign_name", "template")
        over_http.required(account.secrets or {}, "access_key_id", "access_key_secret")

    def check_form(self, form: Mapping[str, Any]) -> Sequence[str]:
        return sms.check_form(form)

    def send(self, account: ChannelAccount, message: Message, key: UUID) -> Outcome:
        url, now = str(account.settings.get("url") or URL), datetime.now(UTC)
        call = _call(account, message, key, urlsplit(url).netloc)
        signed = acs3.headers(call, account.secrets["access_key_id"], account.secrets["access_key_secret"], now)
        reply = over_http.call(account, f"{url}/?{acs3.query(call.params)}", signed, b"")
        return reply if isinstance(reply, Outcome) else _answer(reply, now)

    def told(self, account: ChannelAccount, headers: Mapping[str, str], body: bytes, now: datetime) -> Sequence[Told]:
        return [_told(row, now) for row in sms.rows_of(account, headers, body)]


def _call(account: ChannelAccount, message: Message, key: UUID, host: str) -> acs3.Call:
    code, params = sms.template(account, message)
    told = {
        "PhoneNumbers": message.to.removeprefix("+86").removeprefix("+"),
        "SignName": str(message.parts.get("signature") or account.settings["sign_name"]).strip("【】"),
        "TemplateCode": code,
        "TemplateParam": json.dumps(params, ensure_ascii=False),
        "OutId": str(key),
    }
    return acs3.Call(host=host, action="SendSms", version="2017-05-25", params=told, nonce=key.hex)


def _answer(reply: egress.Reply, now: datetime) -> Outcome:
    told = over_http.parsed(reply)
    code = str((told or {}).get("Code") or "")
    if code == "OK" and 200 <= reply.status < 300:
        return Outcome(answer=Answer.ACCEPTED, provider_id=str((told or {}).get("BizId") or "")[:200], code=code)
    if code and code != "OK":
        return sms.outcome(CODES, code)
    found = over_http.by_status(reply, now)
    # Success in HTTP's words alone, or in a gateway's, is none: the provider says it in its own.
    return (
        Outcome(answer=Answer.UNKNOWN, code=found.code, reason="garbage") if found.answer is Answer.ACCEPTED else found
    )


def _told(row: Mapping[str, Any], now: datetime) -> Told:
    number, code, text, out = sms.texts(row, "biz_id", "err_code", "content", "out_id")
    if "content" in row:
        key = f"reply:{row['sequence_id']}" if row.get("sequence_id") else sms.key_of("reply", row)
        when = sms.moment(row, ("send_time",), now)
        return Told(
            key=key[:128], feedback=Feedback.REPLIED, happened_at=when, address=str(row.get("phone_number") or ""),
            text=text[:2000],
        )  # fmt: skip
    went = row.get("success") in (True, "true")
    return Told(
        key=sms.key_of("report", row),
        feedback=Feedback.DELIVERED if went else Feedback.BOUNCED,
        happened_at=sms.moment(row, ("report_time", "send_time"), now),
        provider_id=number[:200],
        delivery=_uuid(out),
        code=code[:64],
        permanent=not went and code in DEAD,
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
