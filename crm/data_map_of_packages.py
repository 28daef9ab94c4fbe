"""The data map of the packages that we build on: who our staff are, what they may do, and who came."""

from collections.abc import Mapping

from django.utils.translation import gettext_noop as _

from crm.classification import Table, table

NOBODY = _("It says nothing about a person.")
STAFF = _("Data of our own staff, for as long as they work here.")

PACKAGES: Mapping[str, Table] = {
    "admin.logentry": table(
        _("knowing who changed what"), "accesses", "delete", identifying="object_repr change_message",
        pseudonym="object_id", staff="user", technical="id action_time content_type action_flag",
    ),
    "auth.user": table(
        _("letting staff in"), "account", "keep", reason=STAFF, key="password",
        staff="username first_name last_name email last_login",
        technical="id is_superuser is_staff is_active date_joined",
    ),
    "auth.user_groups": table(_("saying what staff may"), "account", "keep", reason=STAFF, staff="id user group"),
    "auth.user_user_permissions": table(
        _("saying what staff may"), "account", "keep", reason=STAFF, staff="id user permission",
    ),
    "auth.group": table(_("saying what staff may"), "configuration", "keep", reason=NOBODY, none="id name"),
    "auth.group_permissions": table(
        _("saying what staff may"), "configuration", "keep", reason=NOBODY, none="id group permission",
    ),
    "auth.permission": table(
        _("saying what staff may"), "configuration", "keep", reason=NOBODY, none="id name content_type codename",
    ),
    "contenttypes.contenttype": table(
        _("naming tables"), "configuration", "keep", reason=NOBODY, none="id app_label model",
    ),
    "sessions.session": table(
        _("keeping staff logged in"), "two weeks", "keep", reason=STAFF, key="session_key", staff="session_data",
        technical="expire_date",
    ),
    "account.emailaddress": table(
        _("letting staff in"), "account", "keep", reason=STAFF, staff="user email", technical="id verified primary",
    ),
    "account.emailconfirmation": table(
        _("letting staff in"), "account", "keep", reason=STAFF, key="key", technical="id email_address created sent",
    ),
    "mfa.authenticator": table(
        _("letting only staff in"), "account", "keep", reason=STAFF, key="data", staff="user",
        technical="id type created_at last_used_at",
    ),
    "axes.accessattempt": table(
        _("stopping who guesses passwords"), "accesses", "keep", reason=STAFF,
        staff="user_agent ip_address username get_data post_data",
        technical="id http_accept path_info attempt_time failures_since_start",
    ),
    "axes.accessattemptexpiration": table(
        _("stopping who guesses passwords"), "accesses", "keep", reason=STAFF, technical="access_attempt expires_at",
    ),
    "axes.accessfailurelog": table(
        _("stopping who guesses passwords"), "accesses", "keep", reason=STAFF, staff="user_agent ip_address username",
        technical="id http_accept path_info attempt_time locked_out",
    ),
    "axes.accesslog": table(
        _("knowing when staff came"), "accesses", "keep", reason=STAFF, staff="user_agent ip_address username",
        key="session_hash", technical="id http_accept path_info attempt_time logout_time",
    ),
    "oauth2_provider.application": table(
        _("letting programs in"), "configuration", "keep", reason=NOBODY, key="client_secret", staff="user",
        none="id client_id redirect_uris post_logout_redirect_uris client_type authorization_grant_type"
        " hash_client_secret name skip_authorization created updated algorithm allowed_origins registration_source"
        " cimd_expires_at",
    ),
    "oauth2_provider.accesstoken": table(
        _("letting programs in"), "one hour", "keep", reason=NOBODY, key="token token_checksum", staff="user",
        technical="id source_refresh_token id_token application expires scope resource created updated",
    ),
    "oauth2_provider.refreshtoken": table(
        _("letting programs in"), "not used", "keep", reason=NOBODY, key="token token_checksum token_family",
        staff="user", technical="id application access_token resource created updated revoked",
    ),
    "oauth2_provider.grant": table(
        _("letting programs in"), "not used", "keep", reason=NOBODY, key="code code_challenge nonce", staff="user",
        technical="id application expires redirect_uri scope created updated code_challenge_method claims resource",
    ),
    "oauth2_provider.idtoken": table(
        _("letting programs in"), "not used", "keep", reason=NOBODY, key="jti", staff="user",
        technical="id application expires scope created updated",
    ),
    "oauth2_provider.devicegrant": table(
        _("letting programs in"), "not used", "keep", reason=NOBODY, key="device_code user_code", staff="user",
        technical="id scope interval expires status client_id last_checked",
    ),
}  # fmt: skip
