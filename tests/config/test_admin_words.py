"""Everything that we say in the admin is said in Chinese too."""

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation
from django.utils.translation.template import templatize

from config.templatetags.zhiyin import fact, found_rows, recipe_rows, spoken
from crm.models import JobRun
from mlengine.admin import decision_words, words
from mlengine.specs import SPECS

ROOT = Path(settings.BASE_DIR)
CATALOGUE = ROOT / "config" / "locale" / "zh_Hans" / "LC_MESSAGES"
MARKERS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext"}
IN_CONTEXT = {"pgettext", "pgettext_lazy"}
MESSAGE = re.compile(
    r'^(?:msgctxt "(.*)"\n)?msgid ((?:".*"\n?)+)(?:msgid_plural (?:".*"\n?)+)?msgstr(?:\[0\])? ((?:".*"\n?)+)', re.M
)


def said(source: str) -> Iterator[str]:
    """Yield the texts that a Python source marks for translation."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if node.func.id in MARKERS and texts:
            yield texts[0]
        elif node.func.id in IN_CONTEXT and len(texts) > 1:
            yield "\x04".join(texts[:2])


def said_in_templates(text: str) -> Iterator[str]:
    for marked in re.findall(r"_\(((?:u?'(?:[^'\\]|\\.)*'|u?\"(?:[^\"\\]|\\.)*\"))", templatize(text)):
        yield ast.literal_eval(marked)
    for context, marked in re.findall(
        r"pgettext\((u?'[^']*'|u?\"[^\"]*\"), *(u?'[^']*'|u?\"[^\"]*\")", templatize(text)
    ):
        yield f"{ast.literal_eval(context)}\x04{ast.literal_eval(marked)}"
    for marked in re.findall(r"(?<!p)gettext\(((?:u?'(?:[^'\\]|\\.)*'|u?\"(?:[^\"\\]|\\.)*\"))", templatize(text)):
        yield ast.literal_eval(marked)


def catalogue() -> gettext.GNUTranslations:
    with (CATALOGUE / "django.mo").open("rb") as compiled:
        return gettext.GNUTranslations(compiled)


def untranslated(texts: Iterator[str]) -> set[str]:
    known = {key if isinstance(key, str) else key[0] for key in catalogue()._catalog}  # type: ignore[attr-defined]
    return set(texts) - known


@pytest.mark.parametrize("package", ["config", "crm", "mlengine", "campaigns"])
def test_every_text_of_a_package_has_its_chinese(package: str) -> None:
    sources = [path for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts]
    assert untranslated(text for path in sources for text in said(path.read_text())) == set()


def test_every_text_of_the_templates_has_its_chinese() -> None:
    pages = list((ROOT / "templates").rglob("*.html"))
    found = [text for path in pages for text in said_in_templates(path.read_text())]
    assert len(found) > 100
    assert untranslated(iter(found)) == set()


def test_every_model_of_ours_is_introduced_in_chinese() -> None:
    with translation.override("zh-hans"):
        for spec in SPECS.values():
            assert re.search("[一-鿿]", words.spec_title(spec.name)), spec.title
            assert re.search("[一-鿿]", words.spec_description(spec.name)), spec.description


def test_the_compiled_catalogue_says_what_its_source_says() -> None:
    compiled = catalogue()
    source = (CATALOGUE / "django.po").read_text()
    assert "#, fuzzy" not in source
    messages = [
        (f"{context}\x04{_text(asked)}" if context else _text(asked), _text(answer))
        for context, asked, answer in MESSAGE.findall(source)
    ][1:]
    assert len(messages) > 300
    for asked, answer in messages:
        assert answer, asked
        plural = compiled._catalog.get((asked, 0))  # type: ignore[attr-defined]
        assert (plural or compiled.gettext(asked)) == answer, asked


def test_a_decision_of_the_backtest_is_told_in_both_languages_and_a_persons_words_stay() -> None:
    decision = (
        "Promoted: roc_auc 0.8651 against rfm_logistic 0.8485, champion v3 0.8600;"
        " mean over 4 cutoffs, 2017-09-11 to 2017-12-04."
    )
    with translation.override("zh-hans"):
        told = decision_words.decision_text(decision)
    assert told == (
        "已晋级：ROC AUC 0.8651，对比 RFM 逻辑回归 0.8485、冠军 v3 0.8600；4 个截止日的平均，2017-09-11 – 2017-12-04。"
    )
    assert decision_words.decision_text("Because I say so") == "Because I say so"


def _text(quoted: str) -> str:
    return "".join(ast.literal_eval(line) for line in quoted.strip().splitlines())


@pytest.mark.parametrize(
    ("kind", "title", "told"),
    [
        ("wecom_staff", "Read staff and customers of WeCom", "读取企业微信的员工和客户"),
        ("plan_campaign", "Plan: Tea tasting", "制定发送计划：Tea tasting"),
        ("import", "profiles: shops.csv", "profiles: shops.csv"),
        ("import", "", ""),
    ],
)
def test_a_job_is_called_by_its_name_in_the_readers_language(kind: str, title: str, told: str) -> None:
    with translation.override("zh-hans"):
        assert words.job_title(JobRun(kind=kind, title=title)) == told


def test_a_trial_of_a_search_and_what_recipes_are_made_of_are_told_in_chinese() -> None:
    with translation.override("zh-hans"):
        assert words.step_title("trial 3, round 2") == "试验 3，第 2 轮"
        rows = recipe_rows({"task": "churn", "parameters": {"step": {"days": 14.0}, "learning_rate": 0.1, "k": 20}})
    assert rows == [("任务类", "churn"), ("参数", "步骤: 天数: 14; 学习率: 0.1000; 位数: 20")]


@pytest.mark.parametrize("name", ["strength", "k", "kind", "window", "most", "least", "history", "step"])
def test_what_others_send_is_not_named_like_a_parameter_of_ours(name: str) -> None:
    assert spoken(name) == name.capitalize()
    assert fact({name: "200 mg"}) == f"{name.capitalize()}: 200 mg"


def test_what_a_model_found_has_words_of_its_own() -> None:
    rows = found_rows({"k": 5, "silhouette": {"5": 0.25}, "met": True, "rows": 7})
    assert rows == [
        ("number of groups", "5"),
        ("Separation (silhouette)", "5: 0.2500"),
        ("as stable and as large as asked for", "yes"),
        ("Rows", "7"),
    ]
