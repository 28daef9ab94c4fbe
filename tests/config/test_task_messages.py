"""What waits in the broker is a row's number and nothing else: no task can be given a name or a phone."""

import ast
import inspect
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu.serialization import dumps

from config.celery import app

ROOT = Path(__file__).parents[2]
OURS = ("config.", "crm.", "mlengine.", "campaigns.")
app.loader.import_default_modules()
TASKS = {name: task for name, task in app.tasks.items() if name.startswith(OURS)}


def test_there_are_tasks() -> None:
    assert {"crm.tasks.import_file", "mlengine.tasks.train"} <= set(TASKS)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_takes_numbers_of_rows_only(name: str) -> None:
    for parameter in inspect.signature(TASKS[name].run).parameters.values():
        assert parameter.annotation in {int, "int"}, f"{name}({parameter})"
        assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD


@pytest.mark.parametrize("name", TASKS)
def test_the_message_on_the_wire_holds_numbers_and_nothing_of_the_row(name: str) -> None:
    """Whatever the broker, RabbitMQ too, this is what lies in its queue; headers travel beside it."""
    numbers = list(range(7001, 7001 + len(inspect.signature(TASKS[name].run).parameters)))
    message = app.amqp.as_task_v2("the-id", name, args=tuple(numbers), kwargs={})
    _, _, body = dumps(message.body, serializer=app.conf.task_serializer)
    nothing = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    assert json.loads(body) == [numbers, {}, nothing]
    told = {header: value for header, value in message.headers.items() if value}
    assert set(told) <= {"lang", "task", "id", "root_id", "argsrepr", "kwargsrepr", "origin", "timelimit"}
    assert (told["argsrepr"], told["kwargsrepr"]) in {(repr(tuple(numbers)), "{}"), ("()", "{}")}


def test_messages_are_json_and_nothing_else_is_accepted() -> None:
    assert app.conf.task_serializer == "json"
    assert set(app.conf.accept_content) == {"json"}
    assert app.conf.task_ignore_result


SENDS = {"delay", "apply_async", "delay_on_commit", "apply_async_on_commit", "send_task", "s", "si", "signature"}
PRODUCT = ("config", "crm", "mlengine", "campaigns")
SIGNATURES = {"s", "si", "signature"}  # words that others use too: only where Celery is spoken to


def sent() -> Iterator[tuple[str, ast.Call]]:
    """Yield each call in the product that puts a message into the queue."""
    for path in (path for package in PRODUCT for path in (ROOT / package).rglob("*.py")):
        text = path.read_text()
        for call in ast.walk(ast.parse(text)):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            if call.func.attr in SENDS - SIGNATURES or (call.func.attr in SIGNATURES and "celery" in text):
                yield f"{path.relative_to(ROOT)}:{call.lineno}", call


def is_number_of_row(node: ast.expr) -> bool:
    """Tell whether an expression is a row's number by its name: ``pk``, ``job.pk``, ``profile_id``, ``profile``."""
    if isinstance(node, ast.Attribute):
        return node.attr in {"pk", "id"} or node.attr.endswith("_id")
    return isinstance(node, ast.Name) and node.id in {"pk", "profile", "job_id", "request_id", "run_id"}


def is_of_rows(call: ast.Call) -> bool:
    """Tell whether a call sends numbers of rows and nothing else."""
    named = {word.arg: word.value for word in call.keywords}
    if None in named or "kwargs" in named or named.get("headers"):
        return False
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "send_task":
        plain = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        return plain in {"delay", "delay_on_commit"} and not named and all(map(is_number_of_row, call.args))
    given = call.args[1] if len(call.args) > 1 else named.get("args", ast.List(elts=[]))
    return len(call.args) <= 2 and isinstance(given, ast.List) and all(map(is_number_of_row, given.elts))


def test_each_call_that_sends_a_task_gives_it_numbers_of_rows() -> None:
    calls = dict(sent())
    assert len(calls) >= 6
    assert [where for where, call in calls.items() if not is_of_rows(call)] == []


@pytest.mark.parametrize(
    "line",
    [
        "work.delay(profile.name)",
        "work.delay(pk, note='x')",
        "work.delay(*values)",
        "work.apply_async([pk], kwargs={'phone': phone})",
        "app.send_task('x', [pk, email])",
        "app.send_task('x', args)",
        "app.send_task('x', [pk], {'phone': phone})",
        "app.send_task('x', [pk], **more)",
        "app.send_task('x', [f'{pk}'])",
    ],
)
def test_a_call_that_sends_more_is_found(line: str) -> None:
    call = ast.parse(line, mode="eval").body
    assert isinstance(call, ast.Call)
    assert not is_of_rows(call)
