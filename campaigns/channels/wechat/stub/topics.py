"""All that the stub plays: importing this fills the tables of routes, orders and actions."""

from importlib import import_module

NAMES = (
    "acquisition",
    "arrivals",
    "articles",
    "behaviour",
    "catalogue",
    "chaos",
    "chats",
    "contacts",
    "control",
    "datacube",
    "datacube_articles",
    "demo",
    "group_send",
    "handover",
    "mass",
    "material",
    "menus",
    "mini",
    "moments",
    "people",
    "privacy",
    "qrcodes",
    "quotas",
    "service",
    "staff",
    "subscriptions",
    "tags",
    "templates",
    "tokens",
    "users",
    "web",
)
TOPICS = tuple(import_module(f"campaigns.channels.wechat.stub.{name}") for name in NAMES)
