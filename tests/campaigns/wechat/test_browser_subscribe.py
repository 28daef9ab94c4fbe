"""The file that mini programs copy, in a real engine with a made-up ``wx``: it tells exactly what was answered."""

import json
from pathlib import Path
from typing import Any

import pytest

from campaigns.channels.wechat.stub.server import Stub
from campaigns.models import Credit
from crm.models import Event
from tests import api, browser
from tests.campaigns.wechat import corporation
from tests.campaigns.wechat.corporation import (
    MINI,
    platform,  # noqa: F401
)

pytestmark = browser.MARKS
FILE = Path(__file__).parents[3] / "campaigns/static/campaigns/wechat/request_subscribe.js"
# ``wx`` as a phone has it: asking works within a tap only, and requests leave by fetch.
WX = """
(answers) => {
  window.calls = [];
  window.fails = answers.fails || 0;
  window.wx = {
    getAccountInfoSync: () => ({ miniProgram: { appId: "wx1mini" } }),
    requestSubscribeMessage: (asked) => {
      window.calls.push({ asked: asked.tmplIds, tapped: window.tapping });
      if (!window.tapping) return asked.fail({ errMsg: "requestSubscribeMessage:fail can only be invoked by user TAP gesture.", errCode: 20003 });
      if (answers.error) return setTimeout(() => asked.fail({ errMsg: answers.error }), 1);
      setTimeout(() => asked.success({ errMsg: "requestSubscribeMessage:ok", ...answers.said }), 1);
    },
    request: (sent) => {
      window.calls.push({ sent: sent.data });
      if (window.fails-- > 0) return setTimeout(() => sent.fail({ errMsg: "request:fail timeout" }), 1);
      fetch(sent.url, { method: sent.method, headers: sent.header, body: JSON.stringify(sent.data) })
        .then((reply) => sent.success({ statusCode: reply.status }), () => sent.fail({ errMsg: "request:fail" }));
    },
  };
}
"""  # noqa: E501
TAP = """
([ids, options]) => {
  window.tapping = true;
  const done = window.zhiyin.requestSubscribe(ids, { ...options, token: () => options.token });
  window.tapping = false;
  return done.then((told) => ({ told, calls: window.calls }));
}
"""


def asked(page: Any, ids: list[str], options: dict[str, Any], **answers: Any) -> dict[str, Any]:
    page.evaluate(WX, answers)
    found: dict[str, Any] = page.evaluate(TAP, [ids, options])
    return found


@pytest.fixture
def device(platform: Stub, settings: Any, live_server: Any) -> dict[str, Any]:  # noqa: F811
    """What a person's mini program has: where the API is, and her token."""
    corporation.mini_program(platform)
    settings.API_BROWSER_ORIGINS = [live_server.url]
    code = platform.post("codes", appid=MINI, person="li")["code"]
    told = {"appid": MINI, "code": code}
    answer = api.caller("mini-program:login").post("/api/v1/mini-program/login/", told, content_type="application/json")
    return {"api": live_server.url + "/", "token": answer.json()["token"]}


def test_what_was_answered_is_told_to_the_page_and_to_the_server(live_server: Any, device: dict[str, Any]) -> None:
    with browser.opened(live_server, "subscribe") as page:
        page.goto("/admin/login/")
        page.add_script_tag(content=FILE.read_text())
        said = {"T1": "accept", "T2": "reject", "T3": "ban", "T9": "accept"}
        found = asked(page, ["T1", "T2", "T3", "T1"], device, said=said)
        told = {"accepted": ["T1"], "rejected": ["T2"], "banned": ["T3"], "filtered": [], "reported": True, "error": ""}
        assert found["told"] == told
        assert found["calls"][0] == {"asked": ["T1", "T2", "T3"], "tapped": True}
        assert Credit.objects.get().template_id == "T1"
        assert Event.objects.filter(name="Subscription Answered").count() == 3

        # Newer phones say more words for yes; a report that got lost is told again under its key.
        found = asked(page, ["T4", "T5"], device, said={"T4": "acceptWithAudio", "T5": "filter"}, fails=1)
        assert (found["told"]["accepted"], found["told"]["filtered"], found["told"]["reported"]) == (
            ["T4"],
            ["T5"],
            True,
        )
        first, second = (call["sent"] for call in found["calls"] if "sent" in call)
        assert first == second
        assert json.dumps(second["answers"]) == '{"T4": "accept", "T5": "filter"}'
        assert Credit.objects.filter(template_id="T4").count() == 1

        # Who has switched everything off is asked nothing, and nothing is reported.
        found = asked(page, ["T1"], device, error="requestSubscribeMessage:fail The main switch is switched off")
        assert found["told"]["error"].endswith("switched off")
        assert not found["told"]["reported"]
        for ids in ([], ["a", "b", "c", "d"], [""]):
            found = asked(page, ids, device, said={})
            assert found["calls"] == []
            assert "one to three" in found["told"]["error"]
        assert Credit.objects.count() == 2


def test_a_token_that_is_over_is_said_and_not_tried_again(live_server: Any, device: dict[str, Any]) -> None:
    with browser.opened(live_server, "subscribe-over", expected="401") as page:
        page.goto("/admin/login/")
        page.add_script_tag(content=FILE.read_text())
        found = asked(page, ["T1"], device | {"token": "person.old"}, said={"T1": "accept"})
        assert (found["told"]["reported"], found["told"]["error"]) == (False, "HTTP 401")
        assert len(found["calls"]) == 2
        assert not Credit.objects.exists()
