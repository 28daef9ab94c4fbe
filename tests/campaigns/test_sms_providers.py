"""The providers of SMS: signatures as they publish them, their codes, and what their callbacks tell."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from campaigns.channels import Answer, Feedback, Outcome, acs3, aliyun, sms, tc3, tencent
from campaigns.models import ChannelAccount
from tests.campaigns.factories import NOW

KEY = UUID("018f3b7e-7d53-7c1e-8a11-2b9f3f8a6c01")


def test_alibabas_own_example_of_a_signature() -> None:
    call = acs3.Call(
        host="ecs.cn-shanghai.aliyuncs.com",
        action="RunInstances",
        version="2014-05-26",
        params={"RegionId": "cn-shanghai", "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"},
        nonce="3156853299f313e23d1673dc12e1703d",
    )
    signed = acs3.headers(
        call, "YourAccessKeyId", "YourAccessKeySecret", datetime(2023, 10, 26, 10, 22, 32, tzinfo=UTC)
    )
    assert signed["Authorization"] == (
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,"
        "SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,"
        "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )


def test_tencents_own_example_of_a_signature() -> None:
    body = rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}'
    at, secret = datetime.fromtimestamp(1551113065, UTC), "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
    assert tc3.authorization("cvm.tencentcloudapi.com", "cvm", body, "AKIDEXAMPLE", secret, at) == (
        "TC3-HMAC-SHA256 Credential=AKIDEXAMPLE/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host, "
        "Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
    )


@pytest.mark.parametrize("codes", [aliyun.CODES, tencent.CODES], ids=["aliyun", "tencent"])
def test_every_code_has_an_action_and_a_reason(codes: dict[str, Outcome]) -> None:
    for code, outcome in codes.items():
        assert outcome.reason, code
        assert outcome.answer is not Answer.ACCEPTED, code
        assert not outcome.account_refused or outcome.answer is Answer.BUSY, code


def test_a_code_that_no_table_knows_is_unknown_and_a_kind_of_codes_is_known_by_its_beginning() -> None:
    assert sms.outcome(aliyun.CODES, "isv.NEVER_SEEN").answer is Answer.UNKNOWN
    assert sms.outcome(tencent.CODES, "AuthFailure.SomethingNew").account_refused
    assert sms.outcome(tencent.CODES, "LimitExceeded.PhoneNumberOneHourLimit").reason == "capped_by_provider"


def account(**secrets: str) -> ChannelAccount:
    return ChannelAccount(channel="sms", settings={}, secrets=secrets)


def test_alibabas_reports_and_replies() -> None:
    report = {
        "phone_number": "13800138000",
        "send_time": "2026-02-01 11:12:13",
        "report_time": "2026-02-01 12:13:14",
        "success": False,
        "err_code": "MK:0001",
        "biz_id": "9006^0",
        "out_id": str(KEY),
    }
    reply = {"phone_number": "13800138000", "content": "退订", "send_time": "2026-02-01 12:00:00", "sequence_id": 5}
    first, second = aliyun.Aliyun().told(account(), {}, json.dumps([report, reply]).encode(), NOW)
    assert (first.feedback, first.delivery, first.provider_id, first.permanent) == (
        Feedback.BOUNCED,
        KEY,
        "9006^0",
        True,
    )
    assert first.happened_at == datetime(2026, 2, 1, 4, 13, 14, tzinfo=UTC)
    assert (second.feedback, second.text, second.address) == (Feedback.REPLIED, "退订", "13800138000")
    assert second.key == "reply:5"


def test_tencents_reports_and_replies() -> None:
    report = {
        "mobile": "13800138000",
        "nationcode": "86",
        "report_status": "SUCCESS",
        "errmsg": "DELIVRD",
        "sid": "2640:1",
    }
    reply = {"mobile": "13800138000", "nationcode": "86", "text": "TD", "time": 1769918400, "extend": "1"}
    (first,) = tencent.Tencent().told(account(), {}, json.dumps([report]).encode(), NOW)
    (second,) = tencent.Tencent().told(account(), {}, json.dumps(reply).encode(), NOW)
    assert (first.feedback, first.provider_id) == (Feedback.DELIVERED, "2640:1")
    assert (second.feedback, second.address, second.text) == (Feedback.REPLIED, "+8613800138000", "TD")
    assert second.happened_at == datetime(2026, 2, 1, 4, tzinfo=UTC)


def test_the_same_report_again_has_the_same_key_in_whatever_order_its_words_come() -> None:
    one, other = b'[{"sid": "1", "report_status": "FAIL"}]', b'[{"report_status":"FAIL","sid":"1"}]'
    (first,), (second,) = (tencent.Tencent().told(account(), {}, body, NOW) for body in (one, other))
    assert first.key == second.key
