"""Where a message on a channel goes: which identifiers of a person it can be sent to."""

# Other channels (an app, a letter, a webhook) have addresses that are no identifiers of ours.
ADDRESSES = {
    "wechat": ("openid",),
    "mini_program": ("openid",),
    "wecom": ("external_userid",),
    "email": ("email",),
    "sms": ("phone",),
    "phone": ("phone",),
}
