"""Who it is, asked again: before personal data is revealed or leaves, and before one person decides for another."""

from collections.abc import Callable
from typing import Any, TypeVar

from allauth.account.decorators import reauthentication_required

View = TypeVar("View", bound=Callable[..., Any])


def shown_again(view: View) -> View:
    """Let a view in only minutes after a login or a new proof; else lead there and, POST too, back.

    For a method of an admin class: ``@method_decorator(shown_again)``.
    """
    wrapped: View = reauthentication_required(view)
    return wrapped
