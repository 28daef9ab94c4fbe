"""An imitation of WeChat and WeCom that keeps the platforms' own rules and its own book: nothing leaves this machine.

`manage.py wechat_stub --port 8901 [--seed N] [--state PATH] [--demo]`, or in a test
`with server.Stub(seed=1) as stub:` with `stub.url`, `stub.post("accounts", kind="oa_service")`, `stub.get("log")`:
the same orders as over HTTP, without it. Base address of both platforms: `http://127.0.0.1:8901`
(`/cgi-bin/...`, `/sns/...`, `/wxa/...`; the token says which platform is meant where a path exists at both).

Orders, all JSON, HTTP 400 `{"error"}` where they make no sense:

POST /_stub/accounts    {kind: oa_subscription|oa_service|mini|wecom, appid?, secret?, token?, aes_key?, callback_url?,
                        mode? plain|compat|safe, data_format? xml|json, verified?, open_platform?, ip_whitelist?,
                        capabilities?, banned?, previous_aes_key?, push_with_previous_key?, pages?, admin_confirms?
                        yes|refuse|silent, mass_per_day?, mass_per_month?}; the same appid again changes what is named.
                        The answer holds every secret. For wecom: appid is the corpid, secret the corpsecret.
GET  /_stub/accounts
POST /_stub/users       {appid, person | persons: [..] | count, prefix?, subscribed?, receiving?, blacklisted?, scene?,
                        subscribe_time?} -> {openids}: followers of whom no event tells. openid = f(appid, person).
GET  /_stub/users?appid=&begin=&limit=      GET /_stub/users/<openid>
POST /_stub/users/<openid>/<act>            pushes the event and answers {message}; acts:
                        follow {scene_str?} · unfollow · text {Content} · image · voice · video · location · link
                        {Title, Description, Url} · scan {scene_str} · click {EventKey} · view {EventKey} · enter ·
                        revoke · receiving {on} · blacklist {on} · accept | reject {template_id | template_ids, scene?}
                        · popup {accept: [..], reject: [..], scene?} · switch_off {template_id} (the change event) ·
                        once {template_id, scene} (a one-time subscription confirmed on its page; no event)
POST /_stub/same_second {openid, acts: [{verb, ..}, ..]}: several acts with one CreateTime
POST /_stub/templates   {appid, title, content: "订单：{{character_string1.DATA}}" | keys: {label: key}, template_id?}
POST /_stub/subscriptions {appid, title, content | keys, type: one_time|long_term, template_id?} -> {priTmplId}
POST /_stub/codes       {appid, person, kind: login|phone|web, phone?, blocked?, seconds?} -> {code, openid, unionid,
                        phone}: what a tap in the mini program gives; for jscode2session, getuserphonenumber, OAuth
POST /_stub/privacy     {appid, used: [UserInfo, PhoneNumber, ..], declared: {key: purpose}}: the privacy guide
GET  /_stub/meter?appid=       phone numbers fetched, and what they cost in cents
POST /_stub/wecom/staff      {appid, userid, name?, active?, right?, console_welcome?, confirms? [low, high] seconds}
POST /_stub/wecom/customers  {appid, userid, persons | count, prefix?, createtime?} -> {external_userids}; no event
POST /_stub/wecom/friend     {appid, userid | config_id, person, state?, half?, add_way?, name?} -> {external_userid,
                             message}: add_external_contact, with State and WelcomeCode
POST /_stub/wecom/unfriend   {appid, userid, person | external_userid, by: customer|staff}
POST /_stub/wecom/mark       {appid, userid, external_userid, tags}: edit_external_contact
POST /_stub/wecom/confirm    {appid, msgid?, userid?} -> {confirmed}: the staff confirm group sends; who is not named in
                             any confirm, and has no `confirms`, ignores them
POST /_stub/wecom/ignore     {appid, msgid?, userid?} -> {ignored}: these never confirm
GET  /_stub/wecom/tasks?appid=
POST /_stub/wecom/chats      {appid, owner, name?, persons?} -> {chat_id}
POST /_stub/wecom/chats/join|leave|rename|owner|dismiss  {appid, chat_id, person?, state?, name?, userid?}
POST /_stub/wecom/publish    {appid, moment_id?, userid?}: the staff publish moments
POST /_stub/wecom/refuse_transfer {appid, handover_userid, takeover_userid, external_userid}
POST /_stub/media       {appid, media_id, size?, begins?}: how large a file is, how it begins (hexadecimal)
POST /_stub/statistics  {appid, name, day, share}: from now on so much of what a statistic said of a day
POST /_stub/quotas      {appid, path, daily?, minute?}
POST /_stub/outcomes    {template_block, template_failed, mass_fail, mass_error, mass_err_code, publish_fail,
                        staff_confirms, missing_figure, delays: {template|mass|publish|subscribe: [low, high] seconds}}
POST /_stub/clock       {advance: seconds | set: epoch | freeze: bool}: what falls due happens before the answer
GET  /_stub/clock
POST /_stub/pusher      {duplicate, delay, reorder, signed_ahead, timeout, retry_wait}; signatures carry real time (and
                        signed_ahead seconds), CreateTime the stub's
POST /_stub/verify      {appid} -> {verified, reply}: the echo that saving a callback address asks for
POST /_stub/settle      {timeout}: wait until all pushes have ended
POST /_stub/chaos       {what, path, appid?, times?, after?, chance?, by?, seconds?, code?}; what: latency,
                        timeout_after_commit, reset, reset_after_commit, busy, error, truncated, html, token_killed, ban
GET  /_stub/chaos       DELETE /_stub/chaos
GET  /_stub/log?path=&appid=&errcode=&limit=          calls and their counts
GET  /_stub/lost?appid=&path=&what=&client_id=&limit=   calls without a readable answer, and whether they were received
GET  /_stub/deliveries?openid=&appid=&kind=&about=&status=&client_id=&limit=     the ground truth
GET  /_stub/pushes?appid=&ended=    GET /_stub/incidents
POST /_stub/demo        {callbacks?: {oa_service|mini|wecom: url}, followers?: 3000} -> {accounts}: a shop with a
                        service account, a mini program and a corp of three staff; the same again sets the callbacks.
                        Also `--demo`. appids wxdemo0000service, wxdemo000000mini, wwdemo00000wecom.
POST /_stub/reset       {}
"""
