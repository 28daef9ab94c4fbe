"""What an account's form asks for, by provider: each line is a setting, or a secret that is never shown again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field: ``kind`` is text, lines, number, e-mail, url, choice or switch."""

    name: str
    label: "_StrOrPromise"
    kind: str = "text"
    secret: bool = False
    needed: bool = False
    help: "_StrOrPromise" = ""
    example: str = ""
    choices: tuple[tuple[str, "_StrOrPromise"], ...] = ()


SENDER = (
    Field(name="from_email", label=_("Sender's address"), kind="email", needed=True, example="news@shop.example"),
    Field(name="from_name", label=_("Sender's name")),
    Field(name="reply_to", label=_("Answers go to"), kind="email"),
)
SIGNED = Field(
    name="secret", label=_("Signing secret"), secret=True, needed=True, help=_("whsec_ and base64, of 24 to 64 bytes.")
)
CALLBACK_PASSWORD = Field(
    name="callback_password",
    label=_("Name and password of callbacks"),
    secret=True,
    help=_("As name:password. Callbacks without it are not taken."),
)
SIGN_NAME = Field(name="sign_name", label=_("Signature"), needed=True, help=_("As it was approved, without 【】."))
TEMPLATE = Field(name="template", label=_("Template"), needed=True, help=_("Its number at the provider."))
PARAMETER = Field(
    name="parameter",
    label=_("Variable of the text"),
    example="content",
    help=_("Which variable of the template takes the text of a message without variables of its own."),
)

APPID = Field(name="appid", label="AppID", needed=True, example="wx1234567890abcdef")
APP_SECRET = Field(
    name="secret",
    label="AppSecret",
    secret=True,
    needed=True,
    help=_("The platform lets in only the addresses that you name there: put this server's on its list."),
)
# What a platform signs and encrypts its callbacks with: the same three fields in each console.
CALLBACKS = (
    Field(
        name="callback_token",
        label=_("Token of callbacks"),
        secret=True,
        help=_("Of 3 to 32 letters and digits, chosen by you: the same here and in the platform's console."),
    ),
    Field(
        name="aes_key",
        label="EncodingAESKey",
        secret=True,
        help=_("43 letters and digits. With it only encrypted callbacks are taken: choose the safe mode there."),
    ),
    Field(
        name="previous_aes_key",
        label=_("EncodingAESKey before"),
        secret=True,
        help=_("After a change the platform uses the old one for a while."),
    ),
)
IMITATION = Field(
    name="imitation",
    label=_("Imitation"),
    kind="switch",
    help=_("Speaks to the imitation of the platform on this server (manage.py wechat_stub): nothing leaves."),
)

FIELDS: Mapping[str, tuple[Field, ...]] = {
    "smtp": (
        Field(name="host", label=_("Server"), needed=True, example="smtp.example.com"),
        Field(name="port", label=_("Port"), kind="number", example="587"),
        Field(
            name="security",
            label=_("Encryption"),
            kind="choice",
            choices=(("starttls", "STARTTLS"), ("tls", "TLS"), ("none", _("none"))),
        ),
        Field(name="username", label=_("User name"), secret=True),
        Field(name="password", label=_("Password"), secret=True),
        *SENDER,
        Field(name="return_path", label=_("Bounces go to"), kind="email"),
    ),
    "anymail": (
        Field(
            name="esp",
            label=_("Provider"),
            kind="choice",
            choices=(
                ("brevo", "Brevo"),
                ("mailersend", "MailerSend"),
                ("mailgun", "Mailgun"),
                ("mailjet", "Mailjet"),
                ("postmark", "Postmark"),
                ("resend", "Resend"),
                ("sendgrid", "SendGrid"),
                ("sparkpost", "SparkPost"),
            ),
        ),
        Field(name="api_key", label=_("API key"), secret=True, help=_("Of all but MailerSend and Postmark.")),
        Field(name="secret_key", label=_("Second API key"), secret=True, help=_("Of Mailjet.")),
        Field(name="server_token", label=_("Server token"), secret=True, help=_("Of Postmark.")),
        Field(name="api_token", label=_("API token"), secret=True, help=_("Of MailerSend.")),
        Field(
            name="webhook_secret",
            label=_("Name and password of callbacks"),
            secret=True,
            help=_("As name:password. Of Brevo, Mailjet, Postmark and SparkPost."),
        ),
        Field(name="webhook_signing_key", label=_("Signing key of callbacks"), secret=True, help=_("Of Mailgun.")),
        Field(name="signing_secret", label=_("Signing secret of callbacks"), secret=True, help=_("Of MailerSend.")),
        Field(name="tracking_webhook_secret", label=_("Secret of callbacks"), secret=True, help=_("Of Resend.")),
        Field(
            name="tracking_webhook_verification_key",
            label=_("Verification key of callbacks"),
            secret=True,
            help=_("Of SendGrid."),
        ),
        Field(name="sender_domain", label=_("Sending domain"), help=_("Of Mailgun.")),
        Field(name="api_url", label=_("Address of the interface"), kind="url", help=_("Empty: the provider's own.")),
        *SENDER,
    ),
    "aliyun": (
        Field(name="access_key_id", label="AccessKey ID", secret=True, needed=True),
        Field(name="access_key_secret", label="AccessKey Secret", secret=True, needed=True),
        SIGN_NAME,
        TEMPLATE,
        PARAMETER,
        CALLBACK_PASSWORD,
    ),
    "tencent": (
        Field(name="secret_id", label="SecretId", secret=True, needed=True),
        Field(name="secret_key", label="SecretKey", secret=True, needed=True),
        Field(name="app_id", label="SmsSdkAppId", needed=True),
        Field(name="region", label=_("Region"), example="ap-guangzhou"),
        SIGN_NAME,
        TEMPLATE,
        PARAMETER,
        CALLBACK_PASSWORD,
    ),
    "webhook": (
        Field(name="url", label=_("Address"), kind="url", needed=True, example="https://orders.example.com/messages"),
        SIGNED,
    ),
    "wechat_official": (
        APPID,
        Field(
            name="kind",
            label=_("Kind"),
            kind="choice",
            choices=(("service", _("Service account (服务号)")), ("subscription", _("Subscription account (公众号)"))),
            help=_("They may do different things: the one writes to each person, the other publishes."),
        ),
        APP_SECRET,
        *CALLBACKS,
        Field(
            name="mini_appid",
            label=_("AppID of the mini program"),
            help=_("That template messages lead to, where their form names a page."),
        ),
        Field(
            name="keyword_answers",
            label=_("Answers to keywords"),
            kind="lines",
            example="hours = We are open from nine to six.",
            help=_(
                "One a line: word = answer, for exactly this word; word* for what begins so; *word* for what it stands"
                " in. Exact words are asked first, then beginnings, then words within, the longest of each first."
            ),
        ),
        IMITATION,
    ),
    "wechat_mini": (
        APPID,
        APP_SECRET,
        *CALLBACKS,
        Field(name="phone_cost", label=_("Cost of a phone number (CNY)"), example="0.03"),
        IMITATION,
    ),
    "wecom": (
        Field(name="corpid", label=_("Corporation's number (CorpID)"), needed=True, example="ww1234567890abcdef"),
        Field(name="agent_id", label=_("Application's number (AgentId)"), example="1000002"),
        Field(
            name="secret",
            label=_("Application's secret"),
            secret=True,
            needed=True,
            help=_("Of an application that customer contact may be called by; name this server's address there."),
        ),
        *CALLBACKS,
        IMITATION,
    ),
    "stub": (
        Field(name="url", label=_("Address"), kind="url", help=_("Empty: every message is taken, and nothing leaves.")),
        Field(name="secret", label=_("Signing secret"), secret=True, help=_("Needed where there is an address.")),
    ),
}
