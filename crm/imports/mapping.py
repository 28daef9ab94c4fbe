"""Which column of a file means what."""

import re
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

REFS = ("external_id", "unionid", "openid", "external_userid", "phone", "email", "anonymous_id")  # the strongest first
FACTS = {
    "events": (
        *("kind", "occurred_at", "item", "message_id", "name", "value", "currency", "quantity", "discount"),
        *("session", "channel"),
    ),
    "profiles": ("name", "gender", "birthday", "age_band", "province", "city", "language"),
    "consents": (
        *("purpose", "state", "claimed_at", "channel", "consent_kind", "notice", "language", "jurisdiction", "proof"),
    ),
    "items": (
        *("code", "kind", "title", "body", "categories", "brand", "price", "currency", "available_from"),
        "available_to",
    ),
}
NEEDED = {
    "events": ("kind", "occurred_at"),
    "profiles": (),
    "items": ("code",),
    "consents": ("purpose", "state", "claimed_at"),
}

# How shops, tills and analytics programs call these, in small letters and without signs between words.
SYNONYMS = {
    "external_id": "userid customerid memberid clientid householdid externalid uid 会员号 客户编号 用户id 会员id",
    "anonymous_id": "anonymousid visitorid deviceid cookieid",
    "unionid": "unionid",
    "openid": "openid",
    "external_userid": "externaluserid",
    "phone": "phone mobile phonenumber 手机 手机号 电话",
    "email": "email mail emailaddress 邮箱",
    "purpose": "purpose purposecode 目的",
    "state": "state status consent consentstatus 状态",
    "claimed_at": "claimedat consentdate consentat consenttime givenat timestamp time date 同意时间 时间",
    "consent_kind": "consentkind",
    "notice": "notice noticeversion privacynotice 告知版本",
    "jurisdiction": "jurisdiction",
    "proof": "proof evidence 证明",
    "kind": "kind type eventtype itemtype 类型",
    "occurred_at": "occurredat timestamp time datetime date eventtime orderdate transactiontimestamp 时间 下单时间",
    "item": "item itemid productid sku product articleid 商品 商品编号",
    "code": "code itemid productid sku id 编号 商品编号",
    "message_id": "messageid eventid id rowid 流水号",
    "value": "value amount salesvalue revenue total price 金额",
    "price": "price unitprice 价格",
    "currency": "currency 币种",
    "quantity": "quantity qty count 数量",
    "discount": "discount 折扣 优惠",
    "session": "session sessionid orderid basketid order invoiceno 订单号",
    "channel": "channel 渠道",
    "name": "name fullname eventname event 姓名 名称",
    "title": "title name productname description 标题 商品名称",
    "body": "body text content 正文",
    "categories": "categories category department 类目 分类",
    "brand": "brand 品牌",
    "gender": "gender sex 性别",
    "birthday": "birthday dateofbirth dob 生日",
    "age_band": "ageband age agegroup 年龄段",
    "province": "province state 省 省份",
    "city": "city 城市",
    "language": "language locale 语言",
    "available_from": "availablefrom publishedat 上架时间",
    "available_to": "availableto expiresat 下架时间",
}


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """What a file holds, which of its columns mean what, and what is the same for all of its rows.

    Columns that are not named go into the properties (or attributes) where ``keep_rest`` says so.
    """

    what: str
    columns: AnyMapping[str, str] = field(default_factory=dict)
    constants: AnyMapping[str, str] = field(default_factory=dict)
    time_zone: str = "UTC"
    keep_rest: bool = True

    def problems(self, present: Sequence[str]) -> list[str]:
        """Return why a file with these columns cannot be imported so."""
        allowed = targets(self.what)
        unknown = sorted((self.columns.keys() | self.constants.keys()) - set(allowed))
        found = [f"{target!r} is nothing that {self.what} have." for target in unknown]
        found += [f"The file has no column {name!r}." for name in self.columns.values() if name not in present]
        given = self.columns.keys() | self.constants.keys()
        found += [f"Say which column is {target!r}." for target in NEEDED[self.what] if target not in given]
        if self.what != "items" and not given & set(REFS):
            found.append(f"Say which column tells who is meant: one of {', '.join(REFS)}.")
        return found

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def targets(what: str) -> tuple[str, ...]:
    """Return what columns may mean in a file of events, profiles or items."""
    return FACTS[what] if what == "items" else (*REFS, *FACTS[what])


def guess(what: str, present: Sequence[str]) -> dict[str, str]:
    """Return the columns whose names tell what they mean; each is used once.

    >>> guess("events", ["Household ID", "timestamp", "sku", "note"])
    {'external_id': 'Household ID', 'occurred_at': 'timestamp', 'item': 'sku'}
    """
    plain = {re.sub(r"[\W_]+", "", name.lower()): name for name in reversed(present)}
    found: dict[str, str] = {}
    for target in targets(what):
        words = [target.replace("_", ""), *SYNONYMS[target].split()]
        name = next((plain[word] for word in words if word in plain and plain[word] not in found.values()), None)
        if name is not None:
            found[target] = name
    return found
