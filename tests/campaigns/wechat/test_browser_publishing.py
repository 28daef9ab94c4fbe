"""The menu drawn as a telephone, and an article on its way to readers: in a real browser, against the imitation."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from campaigns.channels.wechat import official
from campaigns.models import Article, Follower, MenuVersion
from campaigns.wechat import followers
from tests import browser
from tests.campaigns import factories
from tests.campaigns.test_browser_marketer import become
from tests.campaigns.wechat.house import House, opened
from tests.staff import member

pytestmark = [*browser.MARKS, pytest.mark.slow, pytest.mark.nightly]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
WORDS = {"wechat": {"en": {"kind": "article", "title": "Spring tea", "html": "<p>Picked in March.</p>"}}}


@pytest.fixture
def oa(settings: Any) -> Iterator[House]:
    with opened(settings) as house:
        yield house


def test_a_menu_is_drawn_kept_and_stands_at_the_platform(live_server: Any, oa: House) -> None:
    with browser.opened(live_server, "wechat-menu", viewport={"width": 1440, "height": 1000}) as page:
        become(page, live_server, member("Marketing", "ann"))
        page.goto("/admin/campaigns/menuversion/")
        page.click("#menu-bar .wx-key.add")
        page.fill('[name="menu-name"]', "a name that is far too long")
        assert page.locator("#menu-bar .wx-key.bad").count() == 1  # before the server says so
        page.fill('[name="menu-name"]', "会员")
        assert page.locator("#menu-bar .wx-key.bad").count() == 0
        page.click("#menu-bar .wx-above .wx-key.add")  # the button opens entries from now on
        page.fill('[name="menu-name"]', "积分")
        page.fill('[name="menu-url"]', "https://shop.example/points")
        page.click("#menu-bar .wx-above .wx-key.add")
        page.fill('[name="menu-name"]', "订单")
        page.select_option('[name="menu-type"]', "click")
        page.fill('[name="menu-key"]', "orders")
        page.click("#menu-fields button:has-text('Move left')")
        page.click("#menu-bar > .wx-column:last-child .wx-key.add")
        page.fill('[name="menu-name"]', "gone")
        page.click("#menu-fields button:has-text('Remove')")
        browser.kept(page, "wechat-menu-drawn")
        page.click('button[name="publish"]')
        page.wait_for_selector("#versions .zy-tag.good")
        browser.kept(page, "wechat-menu-published")
    (button,) = MenuVersion.objects.get().buttons
    assert [entry["name"] for entry in button["sub_button"]] == ["订单", "积分"]
    (there,) = official.menu_get(oa.account)["menu"]["button"]
    assert [(one["name"], one["type"]) for one in there["sub_button"]] == [("订单", "click"), ("积分", "view")]


def test_an_article_is_drafted_looked_at_on_a_telephone_and_published(live_server: Any, oa: House) -> None:
    version = factories.template("Tea", **WORDS)
    (openid,) = oa.people(1)
    followers.run(followers.order(oa.account, None, timezone.now(), ring=False), timezone.now)
    number = Follower.objects.get().pk
    with browser.opened(live_server, "wechat-article", viewport={"width": 1440, "height": 1200}) as page:
        page.on("dialog", lambda dialog: dialog.accept())
        become(page, live_server, member("Marketing", "ann"))
        page.goto("/admin/campaigns/article/add/")
        page.select_option("#id_account", str(oa.account.pk))
        page.select_option("#id_template", str(version.template_id))
        page.select_option("#id_language", "en")
        page.set_input_files("#id_picture", {"name": "cover.png", "mimeType": "image/png", "buffer": PNG})
        page.click('[name="_save"]')
        page.wait_for_selector('input[name="to"]')
        page.frame_locator("iframe").get_by_text("Picked in March.").wait_for()
        browser.kept(page, "wechat-article-drafted")
        page.fill('input[name="to"]', f"#{number}")
        page.click('form[action$="/preview/"] button')
        page.wait_for_selector("text=It is on that telephone within seconds.")
        page.click('form[action$="/publish/"] button')
        page.wait_for_selector('form[action$="/ask/"] button')
        oa.stub.post("clock", advance=3600)
        page.click('form[action$="/ask/"] button')
        page.wait_for_selector(".zy-tag.good")
        browser.kept(page, "wechat-article-published")
    (told,) = oa.stub.get("deliveries", kind="preview")["deliveries"]
    assert told["openid"] == openid
    article = Article.objects.get()
    assert (article.status, bool(article.url)) == ("published", True)
