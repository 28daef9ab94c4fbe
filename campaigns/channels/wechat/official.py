"""The calls of official accounts (公众号, 服务号), each named after its path; what they answer is the platform's own.

A question may be asked again. What makes something new may only where it carries a key or making it twice is harmless.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from campaigns.channels.wechat.transport import Json, call, download, upload
from campaigns.models import ChannelAccount as Account

# -- users -----------------------------------------------------------------------------------------------------------


def user_get(account: Account, next_openid: str = "") -> Json:
    """Return a page of at most ten thousand followers' openids; the next begins after ``next_openid``."""
    return call(account, "GET", "/cgi-bin/user/get", query={"next_openid": next_openid} if next_openid else None)


def user_info(account: Account, openid: str, lang: str = "zh_CN") -> Json:
    return call(account, "GET", "/cgi-bin/user/info", query={"openid": openid, "lang": lang})


def user_info_batchget(account: Account, openids: Sequence[str], lang: str = "zh_CN") -> Json:
    """Return facts of at most a hundred people."""
    asked = {"user_list": [{"openid": one, "lang": lang} for one in openids]}
    return call(account, "POST", "/cgi-bin/user/info/batchget", body=asked, again=True, timeout=20.0)


def user_info_updateremark(account: Account, openid: str, remark: str) -> Json:
    return _set(account, "/cgi-bin/user/info/updateremark", {"openid": openid, "remark": remark})


# -- tags ------------------------------------------------------------------------------------------------------------


def tags_get(account: Account) -> Json:
    return call(account, "GET", "/cgi-bin/tags/get")


def tags_create(account: Account, name: str) -> Json:
    return call(account, "POST", "/cgi-bin/tags/create", body={"tag": {"name": name}})


def tags_update(account: Account, tag_id: int, name: str) -> Json:
    return _set(account, "/cgi-bin/tags/update", {"tag": {"id": tag_id, "name": name}})


def tags_delete(account: Account, tag_id: int) -> Json:
    return _set(account, "/cgi-bin/tags/delete", {"tag": {"id": tag_id}})


def user_tag_get(account: Account, tag_id: int, next_openid: str = "") -> Json:
    return _ask(account, "/cgi-bin/user/tag/get", {"tagid": tag_id, "next_openid": next_openid})


def tags_members_batchtagging(account: Account, tag_id: int, openids: Sequence[str]) -> Json:
    return _set(account, "/cgi-bin/tags/members/batchtagging", {"tagid": tag_id, "openid_list": list(openids)})


def tags_members_batchuntagging(account: Account, tag_id: int, openids: Sequence[str]) -> Json:
    return _set(account, "/cgi-bin/tags/members/batchuntagging", {"tagid": tag_id, "openid_list": list(openids)})


def tags_getidlist(account: Account, openid: str) -> Json:
    return _ask(account, "/cgi-bin/tags/getidlist", {"openid": openid})


def tags_members_getblacklist(account: Account, begin_openid: str = "") -> Json:
    return _ask(account, "/cgi-bin/tags/members/getblacklist", {"begin_openid": begin_openid})


# -- menu, codes -----------------------------------------------------------------------------------------------------


def menu_create(account: Account, menu: Mapping[str, Any]) -> Json:
    return _set(account, "/cgi-bin/menu/create", menu)


def menu_get(account: Account) -> Json:
    return call(account, "GET", "/cgi-bin/menu/get")


def menu_delete(account: Account) -> Json:
    return call(account, "GET", "/cgi-bin/menu/delete")


def get_current_selfmenu_info(account: Account) -> Json:
    return call(account, "GET", "/cgi-bin/get_current_selfmenu_info")


def qrcode_create(account: Account, scene: str, seconds: int | None = None) -> Json:
    """Return ticket and address of a code that carries a scene; a lasting one where no seconds are given."""
    told: Json = {"action_name": "QR_LIMIT_STR_SCENE" if seconds is None else "QR_STR_SCENE"}
    told |= {"action_info": {"scene": {"scene_str": scene}}} | ({"expire_seconds": seconds} if seconds else {})
    return call(account, "POST", "/cgi-bin/qrcode/create", body=told)


# -- articles --------------------------------------------------------------------------------------------------------


def media_uploadimg(account: Account, name: str, content: bytes, kind: str) -> Json:
    """Upload a picture for an article's text; return its address at the platform."""
    return upload(account, "/cgi-bin/media/uploadimg", name=name, content=content, kind=kind)


def media_upload(account: Account, sort: str, name: str, content: bytes, kind: str) -> Json:
    """Upload a file that lives for three days."""
    return upload(account, "/cgi-bin/media/upload", query={"type": sort}, name=name, content=content, kind=kind)


def media_get(account: Account, media_id: str, most: int) -> bytes:
    """Return a file that lives for three days, of so many bytes at most; of a video JSON that says where it lies."""
    return download(account, "GET", "/cgi-bin/media/get", query={"media_id": media_id}, most=most)


def material_add_material(account: Account, sort: str, name: str, content: bytes, kind: str) -> Json:
    return upload(
        account, "/cgi-bin/material/add_material", query={"type": sort}, name=name, content=content, kind=kind
    )


def material_get_material(account: Account, media_id: str) -> bytes:
    return download(account, "POST", "/cgi-bin/material/get_material", body={"media_id": media_id})


def draft_add(account: Account, articles: Sequence[Mapping[str, Any]]) -> Json:
    return call(account, "POST", "/cgi-bin/draft/add", body={"articles": list(articles)}, timeout=20.0)


def draft_get(account: Account, media_id: str) -> Json:
    return _ask(account, "/cgi-bin/draft/get", {"media_id": media_id})


def draft_update(account: Account, media_id: str, index: int, article: Mapping[str, Any]) -> Json:
    told = {"media_id": media_id, "index": index, "articles": dict(article)}
    return _set(account, "/cgi-bin/draft/update", told)


def draft_delete(account: Account, media_id: str) -> Json:
    return _set(account, "/cgi-bin/draft/delete", {"media_id": media_id})


def draft_count(account: Account) -> Json:
    return call(account, "GET", "/cgi-bin/draft/count")


def draft_batchget(account: Account, offset: int = 0, count: int = 20, *, no_content: bool = True) -> Json:
    return _ask(account, "/cgi-bin/draft/batchget", {"offset": offset, "count": count, "no_content": int(no_content)})


def freepublish_submit(account: Account, media_id: str) -> Json:
    return call(account, "POST", "/cgi-bin/freepublish/submit", body={"media_id": media_id})


def freepublish_get(account: Account, publish_id: str) -> Json:
    return _ask(account, "/cgi-bin/freepublish/get", {"publish_id": publish_id})


def freepublish_delete(account: Account, article_id: str, index: int = 0) -> Json:
    return _set(account, "/cgi-bin/freepublish/delete", {"article_id": article_id, "index": index})


def freepublish_batchget(account: Account, offset: int = 0, count: int = 20) -> Json:
    return _ask(account, "/cgi-bin/freepublish/batchget", {"offset": offset, "count": count, "no_content": 1})


# -- mass sends ------------------------------------------------------------------------------------------------------


def message_mass_send(account: Account, openids: Sequence[str], message: Mapping[str, Any], key: str) -> Json:
    """Send to two and up to ten thousand people; ``key`` (``clientmsgid``) makes a repetition harmless for a day.

    ``message`` holds ``msgtype`` and the part that it names.
    """
    told = {"touser": list(openids), **message, "clientmsgid": key}
    return call(account, "POST", "/cgi-bin/message/mass/send", body=told, timeout=30.0)


def message_mass_sendall(account: Account, tag_id: int | None, message: Mapping[str, Any], key: str) -> Json:
    """Send to all who have a tag, or (nothing) to everybody; ``key`` as in :func:`message_mass_send`."""
    chosen: Json = {"is_to_all": True} if tag_id is None else {"is_to_all": False, "tag_id": tag_id}
    return call(
        account, "POST", "/cgi-bin/message/mass/sendall", body={"filter": chosen, **message, "clientmsgid": key},
        timeout=30.0,
    )  # fmt: skip


def message_mass_preview(account: Account, openid: str, message: Mapping[str, Any]) -> Json:
    return call(account, "POST", "/cgi-bin/message/mass/preview", body={"touser": openid, **message})


def message_mass_get(account: Account, msg_id: str) -> Json:
    return _ask(account, "/cgi-bin/message/mass/get", {"msg_id": msg_id})


def message_mass_delete(account: Account, msg_id: str, article: int = 0) -> Json:
    return _set(account, "/cgi-bin/message/mass/delete", {"msg_id": msg_id, "article_idx": article})


# -- messages to one person ------------------------------------------------------------------------------------------


def message_template_send(account: Account, message: Mapping[str, Any], key: str) -> Json:
    """Send a template message; ``key`` (``client_msg_id``) makes a repetition harmless for some minutes."""
    told = {**message, "client_msg_id": key}
    return call(account, "POST", "/cgi-bin/message/template/send", body=told, again=True)


def message_custom_send(account: Account, openid: str, message: Mapping[str, Any]) -> Json:
    return call(account, "POST", "/cgi-bin/message/custom/send", body={"touser": openid, **message})


def message_custom_typing(account: Account, openid: str, *, typing: bool) -> Json:
    told = {"touser": openid, "command": "Typing" if typing else "CancelTyping"}
    return call(account, "POST", "/cgi-bin/message/custom/typing", body=told)


def message_subscribe_bizsend(account: Account, message: Mapping[str, Any]) -> Json:
    return call(account, "POST", "/cgi-bin/message/subscribe/bizsend", body=message)


def template_get_all_private_template(account: Account) -> Json:
    return call(account, "GET", "/cgi-bin/template/get_all_private_template")


def template_get_industry(account: Account) -> Json:
    return call(account, "GET", "/cgi-bin/template/get_industry")


def template_api_add_template(account: Account, short: str, keywords: Sequence[str] = ()) -> Json:
    told = {"template_id_short": short, "keyword_name_list": list(keywords)}
    return call(account, "POST", "/cgi-bin/template/api_add_template", body=told)


def template_del_private_template(account: Account, template_id: str) -> Json:
    return _set(account, "/cgi-bin/template/del_private_template", {"template_id": template_id})


def newtmpl_gettemplate(account: Account) -> Json:
    """Return the templates of subscription messages; a mini program has the same call."""
    return call(account, "GET", "/wxaapi/newtmpl/gettemplate")


# -- statistics, quotas ----------------------------------------------------------------------------------------------


def datacube(account: Account, name: str, begins: date, ends: date) -> Json:
    """Return a statistic by its name (``getusersummary``, ``getarticletotaldetail``, …)."""
    asked = {"begin_date": begins.isoformat(), "end_date": ends.isoformat()}
    return call(account, "POST", f"/datacube/{name}", body=asked, again=True, timeout=20.0)


def openapi_quota_get(account: Account, path: str) -> Json:
    return _ask(account, "/cgi-bin/openapi/quota/get", {"cgi_path": path})


def openapi_rid_get(account: Account, rid: str) -> Json:
    return _ask(account, "/cgi-bin/openapi/rid/get", {"rid": rid})


def _ask(account: Account, path: str, body: Mapping[str, Any]) -> Json:
    return call(account, "POST", path, body=body, again=True)


def _set(account: Account, path: str, body: Mapping[str, Any]) -> Json:
    """Make something so; made so twice, it is the same."""
    return call(account, "POST", path, body=body, again=True)
