"""What the messages of the journeys to start from say, in both languages: good enough to send, and meant to be changed.

Each says who sends it, why it comes, and where it can be ended; what a model has chosen says that it has, and that it
can be switched off (PIPL 24). Nothing of it names a shop, an address or a discount that we would have to make up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm.models import Channel

Forms = dict[str, dict[str, Any]]
LANGUAGES = ("en", "zh-hans")
ITEMS = (
    "<ul>{% for item in recommendations limit: 3 %}<li>{% if item.url %}"
    '<a href="{{ item.url }}">{{ item.title }}</a>{% else %}{{ item.title }}{% endif %}</li>{% endfor %}</ul>'
)
GREETING = {
    "en": "{% if profile.salutation %}Dear {{ profile.salutation }},{% else %}Hello,{% endif %}",
    "zh-hans": "{% if profile.salutation %}尊敬的{{ profile.salutation }}：{% else %}您好：{% endif %}",
}
WAY_OUT = {
    "en": 'You may <a href="{{ unsubscribe.url }}">end these messages</a> at any time, each kind by itself.',
    "zh-hans": '您可随时<a href="{{ unsubscribe.url }}">退订</a>，各类消息可分别设置。',
}
BY_A_MODEL = {
    "en": "It was chosen for you automatically, by what you bought; on the same page you can switch that off.",
    "zh-hans": "本消息根据您的购买记录自动选择发送；您可在同一页面关闭个性化推荐。",
}
SMS_WAY_OUT = {"en": " Reply TD to unsubscribe", "zh-hans": " 回TD退订"}


@dataclass(frozen=True, kw_only=True)
class Said:
    """A message in one language: a subject, what an e-mail says in paragraphs, why it comes, and the short form."""

    subject: str
    paragraphs: Sequence[str]
    why: str
    short: str


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message in both languages; ``items`` shows what is recommended, ``chosen`` says that a model chose whom."""

    en: Said
    zh: Said
    items: bool = False
    chosen: bool = False
    wechat: str = "text"

    def forms(self) -> Forms:
        """Return what a template says on each channel."""
        told = dict(zip(LANGUAGES, (self.en, self.zh), strict=True))
        return {
            Channel.EMAIL: {language: self._email(said, language) for language, said in told.items()},
            Channel.SMS: {language: {"text": said.short + SMS_WAY_OUT[language]} for language, said in told.items()},
            Channel.WECHAT: {language: {"kind": self.wechat, "text": said.short} for language, said in told.items()},
        }

    def _email(self, said: Said, language: str) -> dict[str, str]:
        lines = [f"<p>{GREETING[language]}</p>", *(f"<p>{one}</p>" for one in said.paragraphs)]
        lines += [ITEMS] if self.items else []
        foot = " ".join([said.why, *([BY_A_MODEL[language]] if self.chosen or self.items else []), WAY_OUT[language]])
        return {"subject": said.subject, "html": "\n".join([*lines, f"<p><small>{foot}</small></p>"])}


MESSAGES: Mapping[str, Message] = {
    "welcome": Message(
        en=Said(
            subject="Welcome to {{ sender.name }}",
            paragraphs=(
                "It is good to have you with us.",
                (
                    "From time to time we write to you about what is new and what may please you, and never more often"
                    " than you like: you say so on your own page, where you also see what we know of you."
                ),
            ),
            why="You get this because you joined us and allowed us to write to you.",
            short="Welcome! It is good to have you with us. We write when there is something worth it.",
        ),
        zh=Said(
            subject="欢迎加入{{ sender.name }}",
            paragraphs=(
                "很高兴认识您。",
                "我们会不时告诉您新品与您可能喜欢的内容；接收哪些消息、多久一次，都由您在个人页面决定，在那里您也可以查看我们保存的您的信息。",
            ),
            why="您收到此邮件，是因为您加入了我们并同意接收消息。",
            short="欢迎加入！有值得告诉您的内容时，我们才会打扰您。",
        ),
    ),
    "first_offer": Message(
        items=True,
        en=Said(
            subject="A few things to begin with",
            paragraphs=("If you do not know where to begin: others began with these.",),
            why="You get this because you joined us lately and allowed us to write to you.",
            short="Not sure where to begin? Have a look at what others like; we are glad to help you choose.",
        ),
        zh=Said(
            subject="从这些开始，不会错",
            paragraphs=("如果还没想好从哪里开始，不妨看看大家喜欢的这些：",),
            why="您收到此邮件，是因为您最近加入了我们并同意接收消息。",
            short="还没想好从哪里开始？看看大家都喜欢什么，我们也乐意为您推荐。",
        ),
    ),
    "thanks": Message(
        en=Said(
            subject="Thank you for your first purchase",
            paragraphs=(
                "Thank you for your trust: we hope that what you chose does its work well.",
                "If anything is not as it should be, answer this message, and we put it right.",
            ),
            why="You get this because you bought from us for the first time and allowed us to write to you.",
            short="Thank you for your first purchase! If anything is not as it should be, tell us and we put it right.",
        ),
        zh=Said(
            subject="感谢您的首次购买",
            paragraphs=("感谢您的信任，希望您选购的商品用得称心。", "如有任何不满意，直接回复本邮件，我们会尽快解决。"),
            why="您收到此邮件，是因为您首次在我们这里购买并同意接收消息。",
            short="感谢您的首次购买！如有任何不满意，请告诉我们，我们会尽快解决。",
        ),
    ),
    "second_offer": Message(
        items=True,
        en=Said(
            subject="What goes well with it",
            paragraphs=("People who bought what you did liked these, too:",),
            why="You get this because you bought from us lately and allowed us to write to you.",
            short="There is more that goes well with what you bought. Come and have a look!",
        ),
        zh=Said(
            subject="与您所购相配的好物",
            paragraphs=("和您买过同样商品的顾客，也喜欢这些：",),
            why="您收到此邮件，是因为您最近在我们这里购买过并同意接收消息。",
            short="还有不少好物与您上次选购的很相配，欢迎来看看！",
        ),
    ),
    "order_again": Message(
        items=True,
        en=Said(
            subject="Is it time again?",
            paragraphs=("By what you usually buy from us, some of it may be running out. You may like to fill up:",),
            why="You get this because you buy from us regularly and allowed us to write to you.",
            short="By what you usually buy, some of it may be running out. Is it time to fill up?",
        ),
        zh=Said(
            subject="是时候补货了吗？",
            paragraphs=("按您平时的购买习惯，有些商品可能快用完了，不妨补一些：",),
            why="您收到此邮件，是因为您常在我们这里购买并同意接收消息。",
            short="按您平时的购买习惯，有些商品可能快用完了，需要补货吗？",
        ),
    ),
    "left_behind": Message(
        en=Said(
            subject="It is still there",
            paragraphs=(
                (
                    "You were looking at something the other day and did not buy it. It is still there, should you"
                    " want it; if you have a question about it, answer this message."
                ),
            ),
            why="You get this because you looked at something with us and allowed us to write to you.",
            short="What you had your eye on is still there. Any questions? We are glad to help.",
        ),
        zh=Said(
            subject="您看中的商品还在",
            paragraphs=("前两天您看中的商品还没有下单，它还在。如有任何疑问，直接回复本邮件即可。",),
            why="您收到此邮件，是因为您浏览过我们的商品并同意接收消息。",
            short="您看中的商品还在。有任何疑问，我们乐意为您解答。",
        ),
    ),
    "we_miss_you": Message(
        items=True,
        chosen=True,
        en=Said(
            subject="We have not seen you for a while",
            paragraphs=("It has been a while. Since then some things have come in that may be to your taste:",),
            why="You get this because you bought from us before and allowed us to write to you.",
            short="It has been a while! Some things have come in that may be to your taste. Come and have a look.",
        ),
        zh=Said(
            subject="好久不见",
            paragraphs=("好久不见。最近到了一些您可能会喜欢的商品：",),
            why="您收到此邮件，是因为您曾在我们这里购买并同意接收消息。",
            short="好久不见！最近到了一些您可能会喜欢的商品，欢迎来看看。",
        ),
    ),
    "coupon": Message(
        chosen=True,
        en=Said(
            subject="A coupon for you",
            paragraphs=(
                (
                    "We would like to see you again, so here is a small reason to come by:"
                    " {% if coupons.welcome_back %}<strong>{{ coupons.welcome_back.title }}</strong>, with the code"
                    " <strong>{{ coupons.welcome_back.code }}</strong>.{% else %}show this message at the till, or"
                    " answer it, and we give you a coupon.{% endif %}"
                ),
            ),
            why="You get this because you bought from us before and allowed us to write to you.",
            short="We would like to see you again: a coupon is waiting for you. Show this message at the till.",
        ),
        zh=Said(
            subject="送您一张优惠券",
            paragraphs=(
                (
                    "期待再次见到您，送上一份小小心意："
                    "{% if coupons.welcome_back %}<strong>{{ coupons.welcome_back.title }}</strong>，券码"
                    "<strong>{{ coupons.welcome_back.code }}</strong>。{% else %}到店出示本邮件，或直接回复，"
                    "即可领取优惠券。{% endif %}"
                ),
            ),
            why="您收到此邮件，是因为您曾在我们这里购买并同意接收消息。",
            short="期待再次见到您：一张优惠券等您领取，到店出示本消息即可。",
        ),
    ),
    "birthday": Message(
        en=Said(
            subject="Happy birthday!",
            paragraphs=(
                "All the best for your birthday from everybody at {{ sender.name }}.",
                "Come by in these days: something small is waiting for you.",
            ),
            why="You get this because you told us your birthday and allowed us to write to you.",
            short="Happy birthday! Come by in these days: something small is waiting for you.",
        ),
        zh=Said(
            subject="生日快乐！",
            paragraphs=("{{ sender.name }}全体伙伴祝您生日快乐！", "这几天欢迎光临，我们为您备了一份小礼物。"),
            why="您收到此邮件，是因为您告诉过我们您的生日并同意接收消息。",
            short="祝您生日快乐！这几天欢迎光临，我们为您备了一份小礼物。",
        ),
    ),
    "survey": Message(
        wechat="service",
        en=Said(
            subject="How did we do?",
            paragraphs=(
                (
                    "Did everything go well? Answer this message with a number from 1 (not at all) to 5 (very well),"
                    " and a word about why if you like. It is read by people, and used only to do better."
                ),
            ),
            why="You get this because we did something for you lately.",
            short="How did we do? Answer with a number from 1 (badly) to 5 (very well). Thank you!",
        ),
        zh=Said(
            subject="我们的服务您满意吗？",
            paragraphs=(
                "这次服务是否顺利？请回复1(很不满意)到5(非常满意)中的一个数字，也欢迎说说原因。您的回答由专人阅读，仅用于改进服务。",
            ),
            why="您收到此邮件，是因为我们最近为您提供过服务。",
            short="我们的服务您满意吗？请回复1(很不满意)到5(非常满意)，谢谢！",
        ),
    ),
}
