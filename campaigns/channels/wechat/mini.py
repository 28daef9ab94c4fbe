"""The calls of mini programs, each named after its path; what they answer is the platform's own."""

from collections.abc import Mapping
from typing import Any

from campaigns.channels.wechat.transport import Json, Request, call, download, parsed, sent
from campaigns.models import ChannelAccount as Account


def sns_jscode2session(account: Account, code: str) -> Json:
    """Return ``openid``, ``session_key`` and perhaps ``unionid`` for the code of a login; each code is good once."""
    made = Request(method="GET", path="/sns/jscode2session", query={"grant_type": "authorization_code"})
    secret = {
        "appid": str(account.settings.get("appid", "")),
        "secret": str((account.secrets or {}).get("secret", "")),
        "js_code": code,
    }
    return parsed(account, sent(account, made, secret))


def business_getuserphonenumber(account: Account, code: str) -> Json:
    """Return the phone number for the code of a button; each answer costs money, and each code is good once."""
    return call(account, "POST", "/wxa/business/getuserphonenumber", body={"code": code})


def message_subscribe_send(account: Account, message: Mapping[str, Any]) -> Json:
    """Send a subscription message; there is no key: what is not answered may have left."""
    return call(account, "POST", "/cgi-bin/message/subscribe/send", body=message)


def message_custom_send(account: Account, openid: str, message: Mapping[str, Any]) -> Json:
    return call(account, "POST", "/cgi-bin/message/custom/send", body={"touser": openid, **message})


def newtmpl_gettemplate(account: Account) -> Json:
    return call(account, "GET", "/wxaapi/newtmpl/gettemplate")


def newtmpl_getcategory(account: Account) -> Json:
    return call(account, "GET", "/wxaapi/newtmpl/getcategory")


def getwxacodeunlimit(account: Account, scene: str, page: str = "", **facts: Any) -> bytes:
    """Return the picture of a code that carries a scene."""
    told = {"scene": scene, **({"page": page} if page else {}), **facts}
    return download(account, "POST", "/wxa/getwxacodeunlimit", body=told)


def generatescheme(account: Account, wanted: Mapping[str, Any]) -> Json:
    return call(account, "POST", "/wxa/generatescheme", body=wanted, again=True)


def generate_urllink(account: Account, wanted: Mapping[str, Any]) -> Json:
    return call(account, "POST", "/wxa/generate_urllink", body=wanted, again=True)


def component_getprivacysetting(account: Account, version: int = 1) -> Json:
    """Return what the privacy guide says that is collected: the one that people see (1), or the one drafted (2)."""
    return call(account, "POST", "/cgi-bin/component/getprivacysetting", body={"privacy_ver": version}, again=True)
