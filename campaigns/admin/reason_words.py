"""Why messages that went to many in one call came to nothing, in words, by the codes of ``campaigns.bulk``."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

OF_MANY: Mapping[str, Any] = {
    "expired_unsent": _("nobody confirmed it within three days"),
    "not_a_friend": _("is no customer of the member of staff any more"),
    "not_taken": _("the platform did not take it"),
    "cancelled": _("taken back"),
    "nobody": _("nobody was left of them"),
    "nobody_left": _("nobody was left of them"),
}
