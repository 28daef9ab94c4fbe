"""The imitation's tokens: the old call, the stable one, WeCom's, and every way a token is refused."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from campaigns.channels.wechat.stub.server import Stub

NOON = 1_795_320_000.0  # 2026-11-22, 12:00 in Shanghai


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub(seed=1, at=NOON) as playing:
        playing.post("clock", freeze=True, set=NOON)
        yield playing


def account(stub: Stub, kind: str = "oa_service", **about: Any) -> dict[str, Any]:
    told: dict[str, Any] = stub.post("accounts", kind=kind, **about)
    return told


def stable(stub: Stub, app: dict[str, Any], **about: Any) -> dict[str, Any]:
    asked = {"grant_type": "client_credential", "appid": app["appid"], "secret": app["secret"], **about}
    told: dict[str, Any] = requests.post(stub.url + "/cgi-bin/stable_token", json=asked, timeout=60).json()
    return told


def legacy(stub: Stub, app: dict[str, Any], **about: Any) -> dict[str, Any]:
    asked = {"grant_type": "client_credential", "appid": app["appid"], "secret": app["secret"], **about}
    told: dict[str, Any] = requests.get(stub.url + "/cgi-bin/token", params=asked, timeout=60).json()
    return told


def used(stub: Stub, token: str | None) -> int:
    query = {} if token is None else {"access_token": token}
    answer = requests.get(stub.url + "/cgi-bin/template/get_all_private_template", params=query, timeout=60)
    return int(answer.json().get("errcode", 0))


def test_the_stable_token_stays_until_its_last_five_minutes(stub: Stub) -> None:
    app = account(stub)
    first = stable(stub, app)
    assert first["expires_in"] == 7200
    stub.post("clock", advance=6899)
    assert stable(stub, app)["access_token"] == first["access_token"]
    stub.post("clock", advance=1)
    second = stable(stub, app)
    assert second["access_token"] != first["access_token"]
    assert (used(stub, first["access_token"]), used(stub, second["access_token"])) == (0, 0)
    stub.post("clock", advance=300)
    assert (used(stub, first["access_token"]), used(stub, second["access_token"])) == (42001, 0)


def test_the_old_call_gives_a_new_token_each_time_and_the_old_one_lives_five_minutes(stub: Stub) -> None:
    app = account(stub)
    first, second = legacy(stub, app)["access_token"], legacy(stub, app)["access_token"]
    stub.post("clock", advance=299)
    assert (used(stub, first), used(stub, second)) == (0, 0)
    stub.post("clock", advance=1)
    assert (used(stub, first), used(stub, second)) == (42001, 0)


def test_old_and_stable_tokens_do_not_touch_each_other(stub: Stub) -> None:
    app = account(stub)
    kept = stable(stub, app)["access_token"]
    legacy(stub, app)
    stub.post("clock", advance=400)
    legacy(stub, app)
    assert (used(stub, kept), stable(stub, app)["access_token"]) == (0, kept)


def test_a_forced_refresh_kills_the_token_before(stub: Stub) -> None:
    app = account(stub)
    first = stable(stub, app)["access_token"]
    second = stable(stub, app, force_refresh=True)["access_token"]
    assert (used(stub, first), used(stub, second)) == (40001, 0)


def test_refreshes_are_forced_half_a_minute_apart_and_twenty_times_a_day(stub: Stub) -> None:
    app = account(stub)
    codes = []
    for wait in [0, 29, 1, *[30] * 19]:
        stub.post("clock", advance=wait)
        codes.append(stable(stub, app, force_refresh=True).get("errcode", 0))
    assert codes == [0, 45011, *[0] * 19, 45009]


@pytest.mark.parametrize(
    ("about", "code"),
    [
        ({"secret": "wrong"}, 40125),
        ({"appid": "wx0000000000000000"}, 40013),
        ({"appid": ""}, 41002),
        ({"secret": ""}, 41004),
        ({"grant_type": "password"}, 40002),
    ],
)
@pytest.mark.parametrize("call", [stable, legacy])
def test_wrong_credentials_are_refused(stub: Stub, call: Any, about: dict[str, str], code: int) -> None:
    assert call(stub, account(stub), **about)["errcode"] == code


def test_an_address_outside_the_whitelist_gets_no_token(stub: Stub) -> None:
    told = stable(stub, account(stub, ip_whitelist=["192.0.2.1"]))
    assert told["errcode"] == 40164
    assert told["errmsg"].startswith("invalid ip, not in whitelist ip 127.0.0.1")


def test_the_old_call_is_counted_to_two_thousand_a_day(stub: Stub) -> None:
    app = account(stub)
    stub.post("quotas", appid=app["appid"], path="/cgi-bin/token", daily=2)
    assert [legacy(stub, app).get("errcode", 0) for _ in range(3)] == [0, 0, 45009]


def test_a_missing_an_unknown_and_an_expired_token_are_told_apart(stub: Stub) -> None:
    token = stable(stub, account(stub))["access_token"]
    stub.post("clock", advance=7200)
    assert (used(stub, None), used(stub, "85_made_up"), used(stub, token)) == (41001, 40001, 42001)


def test_a_token_of_another_kind_of_account_is_refused(stub: Stub) -> None:
    mini = stable(stub, account(stub, "mini"))["access_token"]
    subscription = stable(stub, account(stub, "oa_subscription"))["access_token"]
    assert (used(stub, mini), used(stub, subscription)) == (40001, 48001)


def test_a_corp_gets_the_same_token_while_it_is_good(stub: Stub) -> None:
    corp = account(stub, "wecom")

    def got(**about: str) -> dict[str, Any]:
        asked = {"corpid": corp["appid"], "corpsecret": corp["secret"], **about}
        told: dict[str, Any] = requests.get(stub.url + "/cgi-bin/gettoken", params=asked, timeout=60).json()
        return told

    first = got()
    stub.post("clock", advance=7199)
    assert got() == {**first, "expires_in": 1}
    stub.post("clock", advance=1)
    assert got()["access_token"] != first["access_token"]
    assert (got(corpsecret="wrong")["errcode"], got(corpid="ww0")["errcode"]) == (40001, 40013)
