"""The calls of WeCom (企业微信), each named after its path; what they answer is the platform's own."""

from collections.abc import Mapping, Sequence
from typing import Any

from campaigns.channels.wechat.transport import Json, call, upload
from campaigns.models import ChannelAccount as Account

CUSTOMERS = "/cgi-bin/externalcontact/"


def externalcontact_get_follow_user_list(account: Account) -> Json:
    return call(account, "GET", f"{CUSTOMERS}get_follow_user_list")


def externalcontact_list(account: Account, userid: str) -> Json:
    return call(account, "GET", f"{CUSTOMERS}list", query={"userid": userid})


def externalcontact_get(account: Account, external_userid: str, cursor: str = "") -> Json:
    asked = {"external_userid": external_userid} | ({"cursor": cursor} if cursor else {})
    return call(account, "GET", f"{CUSTOMERS}get", query=asked)


def externalcontact_batch_get_by_user(
    account: Account, userids: Sequence[str], cursor: str = "", limit: int = 100
) -> Json:
    return _ask(account, "batch/get_by_user", {"userid_list": list(userids), "cursor": cursor, "limit": limit})


def externalcontact_remark(account: Account, told: Mapping[str, Any]) -> Json:
    return _ask(account, "remark", told)


def externalcontact_get_corp_tag_list(account: Account) -> Json:
    return _ask(account, "get_corp_tag_list", {})


def externalcontact_add_corp_tag(account: Account, told: Mapping[str, Any]) -> Json:
    return _make(account, "add_corp_tag", told)


def externalcontact_edit_corp_tag(account: Account, told: Mapping[str, Any]) -> Json:
    return _ask(account, "edit_corp_tag", told)


def externalcontact_del_corp_tag(account: Account, told: Mapping[str, Any]) -> Json:
    return _ask(account, "del_corp_tag", told)


def externalcontact_mark_tag(
    account: Account, userid: str, external_userid: str, add: Sequence[str] = (), remove: Sequence[str] = ()
) -> Json:
    told = {"userid": userid, "external_userid": external_userid, "add_tag": list(add), "remove_tag": list(remove)}
    return _ask(account, "mark_tag", told)


def externalcontact_unionid_to_external_userid(account: Account, unionid: str, openid: str) -> Json:
    return _ask(account, "unionid_to_external_userid", {"unionid": unionid, "openid": openid})


def externalcontact_add_contact_way(account: Account, told: Mapping[str, Any]) -> Json:
    return _make(account, "add_contact_way", told)


def externalcontact_update_contact_way(account: Account, told: Mapping[str, Any]) -> Json:
    return _ask(account, "update_contact_way", told)


def externalcontact_del_contact_way(account: Account, config_id: str) -> Json:
    return _ask(account, "del_contact_way", {"config_id": config_id})


def externalcontact_send_welcome_msg(
    account: Account, welcome_code: str, message: Mapping[str, Any], timeout: float = 8.0
) -> Json:
    """Welcome a new customer; the code is good once and for twenty seconds, so a repetition does no harm."""
    told = {"welcome_code": welcome_code, **message}
    return call(account, "POST", f"{CUSTOMERS}send_welcome_msg", body=told, timeout=timeout)


def externalcontact_add_msg_template(account: Account, told: Mapping[str, Any]) -> Json:
    """Ask staff to send a message; there is no key: what is not answered may stand in their list."""
    return call(account, "POST", f"{CUSTOMERS}add_msg_template", body=told, timeout=30.0)


def externalcontact_get_groupmsg_list_v2(account: Account, told: Mapping[str, Any]) -> Json:
    return _ask(account, "get_groupmsg_list_v2", told)


def externalcontact_get_groupmsg_task(account: Account, msgid: str, cursor: str = "", limit: int = 1000) -> Json:
    return _ask(account, "get_groupmsg_task", {"msgid": msgid, "limit": limit, "cursor": cursor})


def externalcontact_get_groupmsg_send_result(
    account: Account, msgid: str, userid: str, cursor: str = "", limit: int = 1000
) -> Json:
    told = {"msgid": msgid, "userid": userid, "limit": limit, "cursor": cursor}
    return _ask(account, "get_groupmsg_send_result", told)


def externalcontact_remind_groupmsg_send(account: Account, msgid: str) -> Json:
    return _make(account, "remind_groupmsg_send", {"msgid": msgid})


def externalcontact_cancel_groupmsg_send(account: Account, msgid: str) -> Json:
    return _ask(account, "cancel_groupmsg_send", {"msgid": msgid})


def externalcontact_groupchat_list(account: Account, told: Mapping[str, Any]) -> Json:
    return _ask(account, "groupchat/list", told)


def externalcontact_groupchat_get(account: Account, chat_id: str, need_name: int = 0) -> Json:
    return _ask(account, "groupchat/get", {"chat_id": chat_id, "need_name": need_name})


def externalcontact_groupchat_add_join_way(account: Account, told: Mapping[str, Any]) -> Json:
    return _make(account, "groupchat/add_join_way", told)


def externalcontact_groupchat_get_join_way(account: Account, config_id: str) -> Json:
    return _ask(account, "groupchat/get_join_way", {"config_id": config_id})


def externalcontact_groupchat_del_join_way(account: Account, config_id: str) -> Json:
    return _ask(account, "groupchat/del_join_way", {"config_id": config_id})


def externalcontact_get_moment_task(account: Account, moment_id: str, cursor: str = "", limit: int = 500) -> Json:
    return _ask(account, "get_moment_task", {"moment_id": moment_id, "cursor": cursor, "limit": limit})


def externalcontact_add_moment_task(account: Account, told: Mapping[str, Any]) -> Json:
    return _make(account, "add_moment_task", told)


def externalcontact_get_moment_task_result(account: Account, jobid: str) -> Json:
    return call(account, "GET", f"{CUSTOMERS}get_moment_task_result", query={"jobid": jobid})


def externalcontact_transfer_customer(account: Account, told: Mapping[str, Any]) -> Json:
    return _make(account, "transfer_customer", told)


def externalcontact_transfer_result(account: Account, told: Mapping[str, Any]) -> Json:
    return _ask(account, "transfer_result", told)


def externalcontact_get_unassigned_list(account: Account, cursor: str = "", limit: int = 1000) -> Json:
    """Return customers of staff who left, whom nobody has taken over."""
    return _ask(account, "get_unassigned_list", {"cursor": cursor, "page_size": limit})


def externalcontact_resigned_transfer_customer(account: Account, told: Mapping[str, Any]) -> Json:
    return _make(account, "resigned/transfer_customer", told)


def externalcontact_resigned_transfer_result(account: Account, told: Mapping[str, Any]) -> Json:
    return _ask(account, "resigned/transfer_result", told)


def externalcontact_create_link(account: Account, told: Mapping[str, Any]) -> Json:
    return _make(account, "customer_acquisition/create_link", told)


def externalcontact_list_link(account: Account, cursor: str = "", limit: int = 100) -> Json:
    return _ask(account, "customer_acquisition/list_link", {"cursor": cursor, "limit": limit})


def externalcontact_get_link(account: Account, link_id: str) -> Json:
    return _ask(account, "customer_acquisition/get", {"link_id": link_id})


def externalcontact_delete_link(account: Account, link_id: str) -> Json:
    return _ask(account, "customer_acquisition/delete_link", {"link_id": link_id})


def externalcontact_link_customers(account: Account, link_id: str, cursor: str = "", limit: int = 1000) -> Json:
    return _ask(account, "customer_acquisition/customer", {"link_id": link_id, "cursor": cursor, "limit": limit})


def externalcontact_customer_acquisition_quota(account: Account) -> Json:
    return call(account, "GET", f"{CUSTOMERS}customer_acquisition_quota")


def externalcontact_groupchat_statistic(account: Account, told: Mapping[str, Any]) -> Json:
    return _ask(account, "groupchat/statistic", told)


def externalcontact_get_user_behavior_data(account: Account, told: Mapping[str, Any]) -> Json:
    return _ask(account, "get_user_behavior_data", told)


def user_get(account: Account, userid: str) -> Json:
    return call(account, "GET", "/cgi-bin/user/get", query={"userid": userid})


def department_simplelist(account: Account) -> Json:
    """Return the departments that the application sees."""
    return call(account, "GET", "/cgi-bin/department/simplelist")


def user_simplelist(account: Account, department: int, *, below: bool) -> Json:
    """Return the staff of a department with their names, and (``below``) of all that belong to it."""
    asked = {"department_id": department, "fetch_child": int(below)}
    return call(account, "GET", "/cgi-bin/user/simplelist", query=asked)


def media_upload_attachment(account: Account, sort: str, use: int, name: str, content: bytes, kind: str) -> Json:
    """Upload what a moment (``use`` 1) shows; it expires in three days."""
    asked = {"media_type": sort, "attachment_type": use}
    return upload(account, "/cgi-bin/media/upload_attachment", query=asked, name=name, content=content, kind=kind)


def media_upload(account: Account, sort: str, name: str, content: bytes, kind: str) -> Json:
    return upload(account, "/cgi-bin/media/upload", query={"type": sort}, name=name, content=content, kind=kind)


def message_send(account: Account, told: Mapping[str, Any]) -> Json:
    """Write to staff, not to customers."""
    return call(account, "POST", "/cgi-bin/message/send", body=told)


def _ask(account: Account, path: str, body: Mapping[str, Any]) -> Json:
    return call(account, "POST", f"{CUSTOMERS}{path}", body=body, again=True)


def _make(account: Account, path: str, body: Mapping[str, Any]) -> Json:
    """Make something new: twice would be two of it."""
    return call(account, "POST", f"{CUSTOMERS}{path}", body=body)
