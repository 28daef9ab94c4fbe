"""What staff are called: by the departments that our application sees, else one by one, else by their number only.

Not every application may read names: the platform refuses, or tells the number in the name's place. Then the number is
shown, and a name can be written by hand.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from campaigns.channels.wechat import wecom
from campaigns.channels.wechat.transport import Refusal
from campaigns.models import ChannelAccount, Staff

SINGLY = 100  # staff of one reading who are asked for one by one


def read(account: ChannelAccount) -> int:
    """Read the names of an account's staff; return how many are new or changed."""
    rows = list(Staff.objects.filter(account=account).order_by("-active", "userid"))
    told = _by_department(account)
    nameless = [one.userid for one in rows if one.active and one.userid not in told and not one.told_name]
    told |= _singly(account, nameless)
    changed = [one for one in rows if told.get(one.userid, one.told_name) != one.told_name]
    for one in changed:
        one.told_name = told[one.userid]
    Staff.objects.bulk_update(changed, ["told_name"])
    return len(changed)


def _by_department(account: ChannelAccount) -> dict[str, str]:
    """Return the names of all whom the application sees; nothing where it may not."""
    found: dict[str, str] = {}
    try:
        departments = wecom.department_simplelist(account).get("department_id") or []
        there = {one.get("id") for one in departments}
        for one in departments:
            if one.get("parentid") not in there:
                found |= _names(wecom.user_simplelist(account, int(one["id"]), below=True).get("userlist") or ())
    except Refusal:
        return found
    return found


def _singly(account: ChannelAccount, userids: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for userid in userids[:SINGLY]:
        try:
            found |= _names([wecom.user_get(account, userid)])
        except Refusal as error:
            if error.code not in OF_ONE:
                break  # what it may not ask of one, it may not ask of the next
    return found


OF_ONE = frozenset({60111, 40003})  # nobody has this number: a word about this one only


def _names(told: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return names by number; where the platform tells the number again, or a sign for it, it tells no name."""
    pairs = ((str(one.get("userid") or "")[:64], str(one.get("name") or "").strip()[:120]) for one in told)
    return {userid: name for userid, name in pairs if userid and name not in ("", userid) and not name.startswith("$")}
