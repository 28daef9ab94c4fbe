"""A mini program's privacy guide: what its code uses, and what its owner says that it collects."""

from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.routing import MINI, Call, Json, control, must, route
from campaigns.channels.wechat.stub.world import World

LIVE, DRAFTED = 1, 2  # the guide that people see, and the one that was not published yet
LABELS = {
    "UserInfo": "用户信息（微信昵称、头像）",
    "Location": "位置信息",
    "Address": "地址",
    "Invoice": "发票信息",
    "RunData": "微信运动数据",
    "Record": "麦克风",
    "Album": "选中的照片或视频信息",
    "Camera": "摄像头",
    "PhoneNumber": "手机号码",
    "Contact": "通讯录（仅写入）权限",
    "DeviceInfo": "设备信息",
    "EXIDNumber": "身份证号码",
    "EXOrderInfo": "订单信息",
    "EXUserPublishContent": "发布内容",
    "EXUserFollowAcct": "所关注账号",
    "EXUserOpLog": "操作日志",
    "AlbumWriteOnly": "相册（仅写入）权限",
    "LicensePlate": "车牌号",
    "BlueTooth": "蓝牙",
    "CalendarWriteOnly": "日历（仅写入）权限",
    "Email": "邮箱",
    "MessageFile": "选中的文件",
    "ChooseLocation": "选择的位置信息",
    "Accelerometer": "加速传感器",
    "Compass": "磁场传感器",
    "DeviceMotion": "方向传感器",
    "Gyroscope": "陀螺仪传感器",
    "Clipboard": "剪切板",
}


@control("POST", "privacy")
def declare(world: World, asked: Json) -> Json:
    """Set `{appid, used: [key, ..], declared: {key: purpose}, drafted?: {key: purpose}}`; keys are the platform's."""
    app = world.account(asked["appid"])
    must(app.kind == "mini", "a privacy guide belongs to a mini program")
    told: Json = {
        "used": list(asked.get("used", [])),
        "declared": dict(asked.get("declared", {})),
        "at": world.clock.now(),
    }
    told["drafted"] = dict(asked.get("drafted") or told["declared"])
    must(set(told["used"]) | set(told["declared"]) | set(told["drafted"]) <= set(LABELS), "no such privacy_key")
    app.topic("privacy").update(told)
    return told


@route("/cgi-bin/component/getprivacysetting", MINI)
def shown(call: Call) -> Json:
    kept = {"used": [], "declared": {}, "drafted": {}, "at": 0.0, **call.app.topic("privacy")}
    version = call.body.get("privacy_ver", DRAFTED)
    if version not in (LIVE, DRAFTED):
        raise Refused(40097)
    declared: dict[str, str] = kept["declared"] if version == LIVE else kept["drafted"]
    used: list[str] = kept["used"]
    settings = [
        {"privacy_key": key, "privacy_text": text, "privacy_label": LABELS.get(key, key)}
        for key, text in declared.items()
    ]
    return {
        "errcode": 0,
        "errmsg": "ok",
        "code_exist": 1 if used else 0,
        "privacy_list": used,
        "setting_list": settings,
        "update_time": int(kept["at"]),
        "owner_setting": {"contact_email": "privacy@example.com", "notice_method": "弹窗"},
        "privacy_desc": {
            "privacy_desc_list": [{"privacy_key": key, "privacy_desc": text} for key, text in LABELS.items()]
        },
    }
