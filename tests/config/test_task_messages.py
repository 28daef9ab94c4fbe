"""What waits in the broker is a row's number and nothing else: no task can be given a name or a phone."""

import inspect

import pytest

from config.celery import app

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


def test_messages_are_json_and_nothing_else_is_accepted() -> None:
    assert app.conf.task_serializer == "json"
    assert set(app.conf.accept_content) == {"json"}
    assert app.conf.task_ignore_result
