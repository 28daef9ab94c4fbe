"""Templates are programs of people who are not programmers, or not friends: Liquid with bounds that hold.

What a template can do is what stands in :data:`TAGS` and :data:`campaigns.templating.filters.FILTERS`; there is no way
to another file. It sees mappings of ours only (``campaigns.templating.objects``): python-liquid reads ``a.b`` as
``a["b"]`` and never as an attribute. Every step is counted and every value is bounded before it is made, so that time
and memory are bounded by construction; the clock is asked besides, every few steps.
"""

import gc
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import local
from time import thread_time as _thread_time
from typing import Any

from liquid import Environment, RenderContext, StrictUndefined
from liquid.ast import Node
from liquid.builtin import (
    assign_tag,
    capture_tag,
    case_tag,
    comment_tag,
    echo_tag,
    for_tag,
    if_tag,
    inline_comment_tag,
    unless_tag,
)
from liquid.builtin.content import Literal
from liquid.builtin.expressions.primitive import FloatLiteral, IntegerLiteral, RangeLiteral
from liquid.builtin.illegal import Illegal
from liquid.builtin.output import Output
from liquid.exceptions import LiquidError, UndefinedError
from liquid.expression import Expression
from liquid.parser import get_parser
from liquid.stream import TokenStream
from liquid.template import BoundTemplate
from liquid.token import Token

from campaigns.templating.filters import FILTERS, LONGEST_LIST, MissingVariable

SECONDS = 0.1  # a message, of one thread's own time: a busy machine fails nobody's message
STEPS = 50_000
ITERATIONS = 10_000
LONGEST_SOURCE = 200_000
MOST_MARKS = 1_000
LONGEST_MARK = 1_000
LONGEST_OUTPUT = 500_000  # bytes
MOST_KEPT = 1_000_000  # bytes that assigned values may take

TAGS = (
    *(Literal, Output, Illegal),
    *(assign_tag.AssignTag, capture_tag.CaptureTag, case_tag.CaseTag, comment_tag.CommentTag, echo_tag.EchoTag),
    *(for_tag.ForTag, for_tag.BreakTag, for_tag.ContinueTag, if_tag.IfTag, inline_comment_tag.InlineCommentTag),
    unless_tag.UnlessTag,
)
MARK = re.compile(r"\{\{|\{%")
# python-liquid's own lexer searches to the end of the source for each of these that is not closed.
VERBATIM = re.compile(r"\{%-?\s{0,50}(raw|doc)\b")
GAP = re.compile(r"\s{50}")


_message = local()


def _collecting(phase: str, _about: dict[str, int]) -> None:
    """Count the time of a collection of garbage apart: a full one takes longer than a message may."""
    now = _thread_time()
    if phase == "start":
        _message.collects_since = now
    else:
        _message.collected = getattr(_message, "collected", 0.0) + now - getattr(_message, "collects_since", now)


gc.callbacks.append(_collecting)


def thread_time() -> float:
    """Return how long this thread has worked; what it collected of others' garbage does not count."""
    return _thread_time() - float(getattr(_message, "collected", 0.0))


@contextmanager
def one_message() -> Iterator[None]:
    """Let all that is rendered in the block share the time of one message."""
    _message.ends = thread_time() + SECONDS
    try:
        yield
    finally:
        _message.ends = None


class TemplateFailed(Exception):
    """A message that cannot be written; ``code`` says why, ``detail`` what it is about. Others are not concerned."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class TooMuch(LiquidError):
    """A template does more than a message needs."""

    def __init__(self, what: str) -> None:
        super().__init__(what, token=None)


class Counting(RenderContext):
    """Counts what a template does, and stops it."""

    __slots__ = ("_disabled", "ends", "iterations", "steps")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.steps, self.iterations = 0, 0
        self.ends: float = getattr(_message, "ends", None) or thread_time() + SECONDS
        super().__init__(*args, **kwargs)

    def step(self, many: int = 1) -> None:
        self.steps += many
        if self.steps > STEPS:
            raise TooMuch("steps")
        if self.steps % 16 < many and thread_time() > self.ends:
            raise TooMuch("time")

    @property
    def disabled_tags(self) -> list[str]:
        """Which tags may not be used; asked before each node, which makes it the place to count."""
        self.step()
        return self._disabled

    @disabled_tags.setter
    def disabled_tags(self, names: list[str]) -> None:
        self._disabled = names

    def get(self, path: list[object], **kwargs: Any) -> object:
        self.step()
        return super().get(path, **kwargs)

    def filter(self, name: str, token: Token | None) -> Any:
        # A filter may read a long text: it counts for more, and the clock is asked each time.
        self.step(16)
        return super().filter(name, token)

    def raise_for_loop_limit(self, length: int = 1) -> None:
        self.iterations += length
        if self.iterations > ITERATIONS:
            raise TooMuch("loops")

    def assign(self, key: str, val: Any) -> None:
        self.locals[key] = val
        if sum(map(_bytes, self.locals.values())) > MOST_KEPT:
            raise TooMuch("memory")


def _bytes(value: object) -> int:
    if isinstance(value, list | tuple):
        return sys.getsizeof(value) + sum(sys.getsizeof(one) for one in value)
    return sys.getsizeof(value)


class Bounded(BoundTemplate):
    context_class = Counting


class Sandbox(Environment):
    """Liquid with our tags and filters only; ``autoescape`` makes HTML of values harmless."""

    block_nesting_limit = 12
    context_depth_limit = 30
    output_stream_limit = LONGEST_OUTPUT
    template_class = Bounded

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        for tag in TAGS:
            self.add_tag(tag)
        for name, function in FILTERS.items():
            self.add_filter(name, function)

    def _parse(self, source: str) -> list[Node]:
        ends = thread_time() + SECONDS

        def watched() -> Iterator[Token]:
            for token in self.tokenizer()(source):
                if thread_time() > ends:
                    raise TooMuch("time")
                yield token

        nodes = get_parser(self).parse(TokenStream(watched()))
        for node in nodes:
            _refuse_dangers(node, RenderContext(BoundTemplate(self, [])))
        return nodes


HTML = Sandbox(autoescape=True, undefined=StrictUndefined)
PLAIN = Sandbox(autoescape=False, undefined=StrictUndefined)


def parsed(source: str, *, escape: bool) -> BoundTemplate:
    """Return a template that can be rendered; :class:`TemplateFailed` says where it cannot be understood."""
    measure(source)
    return measured(source, HTML if escape else PLAIN)


def measured(source: str, environment: Sandbox) -> BoundTemplate:
    """Return the template of a source that was measured before something of ours was put into it."""
    try:
        return environment.from_string(source)
    except TooMuch as much:
        raise TemplateFailed("too_much", _said(much)) from much
    except LiquidError as error:
        raise TemplateFailed("not_liquid", _said(error)) from error
    except (RecursionError, ValueError, ArithmeticError) as error:
        raise TemplateFailed("not_liquid", type(error).__name__) from error


def measure(source: str) -> None:
    """Refuse what would cost the lexer itself too much."""
    if len(source) > LONGEST_SOURCE:
        raise TemplateFailed("too_long", str(len(source)))
    marks = 0
    at = MARK.search(source)
    while at:
        marks += 1
        closed = source.find("}}" if at.group() == "{{" else "%}", at.end(), at.end() + LONGEST_MARK)
        if closed < 0 or marks > MOST_MARKS:
            raise TemplateFailed("not_liquid" if closed < 0 else "too_long", source[at.start() : at.start() + 40])
        if GAP.search(source, at.end(), closed):
            raise TemplateFailed("not_liquid", source[at.start() : at.start() + 40])
        at = MARK.search(source, closed + 2)
    if VERBATIM.search(source):
        raise TemplateFailed("not_liquid", "raw")


def rendered(template: BoundTemplate, objects: Mapping[str, object]) -> str:
    """Return what a template says of the objects; :class:`TemplateFailed` where it cannot say it."""
    try:
        return str(template.render(objects))
    except MissingVariable as missing:
        raise TemplateFailed("missing_value", missing.path) from missing
    except UndefinedError as error:
        raise TemplateFailed("unknown_variable", _said(error)) from error
    except TooMuch as much:
        raise TemplateFailed("too_much", _said(much)) from much
    except LiquidError as error:
        raise TemplateFailed("not_rendered", _said(error)) from error
    except (RecursionError, ValueError, TypeError, ArithmeticError, LookupError, AssertionError) as error:
        raise TemplateFailed("not_rendered", type(error).__name__) from error


def _said(error: LiquidError) -> str:
    return str(error.args[0])[:200] if error.args else type(error).__name__


def _refuse_dangers(node: Node, context: RenderContext) -> None:
    for expression in node.expressions():
        _refuse_numbers(expression)
    for child in node.children(context):
        _refuse_dangers(child, context)


def _refuse_numbers(expression: Expression) -> None:
    """Refuse numbers beyond use, and ranges whose length is not seen: searching one takes as long as it is."""
    if isinstance(expression, RangeLiteral):
        ends = expression.start, expression.stop
        if not all(isinstance(end, IntegerLiteral) for end in ends) or _length(*ends) > LONGEST_LIST:
            raise TooMuch("range")
    if isinstance(expression, IntegerLiteral | FloatLiteral) and not abs(expression.value) <= 10**12:
        raise TooMuch("number")
    for child in expression.children():
        _refuse_numbers(child)


def _length(start: Any, stop: Any) -> int:
    return int(abs(stop.value - start.value)) + 1
