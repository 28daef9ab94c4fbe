"""The imitation across restarts, as a command, and furnished with a shop."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from django.core.management import CommandError, call_command

from campaigns.channels.wechat.stub import keeping
from campaigns.channels.wechat.stub.server import Stub
from tests.campaigns.wechat.playing import NOON, Platform

TEMPLATE = "/cgi-bin/message/template/send"


def test_a_restart_orphans_nobody(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with Stub(seed=3, at=NOON, state=state) as stub:
        before = Platform(stub, "oa_service")
        [openid] = before.users("p")
        before.does(openid, "text", Content="hi")
        before.order("templates", appid=before.appid, title="t", content="{{thing1.DATA}}", template_id="T")
        asked = {"touser": openid, "template_id": "T", "data": {"thing1": {"value": "x"}}, "client_msg_id": "c"}
        sent = before.post(TEMPLATE, **asked)
        before.order("outcomes", delays={"mass": [100, 100]})
        mass = {"touser": before.users("q", "r"), "msgtype": "text", "text": {"content": "x"}}
        job = before.post("/cgi-bin/message/mass/send", **mass)["msg_id"]
        before.session.close()
    with Stub(state=state) as stub:
        assert abs(stub.world.clock.now() - NOON) < 60
        told = requests.post(stub.url + TEMPLATE, params={"access_token": before.token}, json=asked, timeout=60).json()
        assert told["msgid"] == sent["msgid"]  # token, template, follower and client_msg_id are known
        assert stub.get(f"users/{openid}")["user"].windows["message"][1] == 5
        stub.post("clock", advance=100)  # what was under way goes on
        assert stub.world.accounts[before.appid].topic("mass")[str(job)]["status"] == "SEND_SUCCESS"
        assert stub.world.message_id() > job


@pytest.mark.parametrize("text", ['{"seed": 0, "acc', "[]", "{}", '{"seed": null}', ""])
def test_a_torn_state_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    state = tmp_path / "state.json"
    state.write_text(text)
    with pytest.raises(CommandError):
        call_command("wechat_stub", port=0, state=state)
    assert state.read_text() == text
    assert list(tmp_path.iterdir()) == [state]


@pytest.mark.slow
def test_the_command_plays_on_the_loopback_address_only_until_it_is_told_to_end(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    command = [sys.executable, "manage.py", "wechat_stub", "--port", "0", "--demo", "--state", str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        url = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert url is not None
        assert len(requests.get(url[0] + "/_stub/accounts", timeout=60).json()["accounts"]) == 3
        with pytest.raises(ConnectionRefusedError):  # another address of this machine
            socket.create_connection(("127.0.0.2", int(url[0].rsplit(":")[-1])), 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    assert state.exists()


def test_the_shop_is_the_same_wherever_it_is_furnished() -> None:
    with Stub(seed=1) as one, Stub(seed=2) as two:
        shops = [stub.post("demo", followers=300)["accounts"] for stub in (one, two)]
        assert shops[0] == shops[1]
        followers = [stub.world.accounts["wxdemo0000service"].followers for stub in (one, two)]
        assert list(followers[0]) == list(followers[1])
        service, mini, corp = (one.world.accounts[about["appid"]] for about in shops[0])
        unions = {follower.unionid for follower in service.followers.values()}
        assert len(unions) == 300
        assert {follower.unionid for follower in mini.followers.values()} < unions
        assert {about["unionid"] for about in corp.topic("customers").values()} < unions
        assert len(corp.topic("staff")) == 3
        again = one.post("demo", callbacks={"oa_service": "http://127.0.0.1:1/x"})["accounts"]
        assert (again[0]["callback_url"], again[0]["followers"]) == ("http://127.0.0.1:1/x", 300)
        assert again[1:] == shops[0][1:]


def test_the_same_seed_and_orders_give_the_same_world() -> None:
    told = []
    for _ in range(2):
        with Stub(seed=7, at=NOON) as stub:
            stub.post("clock", freeze=True, set=NOON)
            platform = Platform(stub, "oa_service")
            platform.order("templates", appid=platform.appid, title="t", content="{{thing1.DATA}}", template_id="T")
            for openid in platform.users(*map(str, range(50))):
                platform.post(TEMPLATE, touser=openid, template_id="T", data={"thing1": {"value": "x"}})
            platform.later(5)
            told.append((platform.app, platform.token, platform.deliveries(), platform.told()))
            platform.session.close()
    assert told[0] == told[1]


def test_the_old_words_are_let_go_and_the_facts_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.channels.wechat.stub.world.TEXTS", 3)
    with Stub(at=NOON) as stub:
        platform = Platform(stub, "oa_service")
        [openid] = platform.users("p")
        platform.does(openid, "text", Content="hi")
        for word in "abcde":
            platform.post("/cgi-bin/message/custom/send", touser=openid, msgtype="text", text={"content": word})
        assert [one["text"] for one in platform.deliveries(openid=openid)] == ["", "", "c", "d", "e"]
        platform.session.close()


def test_a_world_in_which_nothing_happens_is_not_written_again(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with Stub(at=NOON) as stub:
        stub.post("accounts", kind="mini")
        kept = keeping.save(stub.world, state)
        state.unlink()
        assert keeping.save(stub.world, state, kept) == kept
        assert not state.exists()
        stub.post("accounts", kind="mini")
        keeping.save(stub.world, state, kept)
        assert state.exists()
