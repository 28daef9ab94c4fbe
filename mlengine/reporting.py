"""What the commands print: a model's figures with its rivals beside, the seconds of each step."""

from collections.abc import Iterator, Mapping, Sequence

from mlengine.backtest import MODEL
from mlengine.models import ModelVersion


def lines_of(version: ModelVersion) -> Iterator[str]:
    """Return the lines of a table: one a metric, the model first, then each rival; means over the cutoffs."""
    means: Mapping[str, Mapping[str, float | None]] = version.card["backtest"]["means"]
    decided_by = version.card["backtest"]["decided_by"]
    rivals = [subject for subject in means if subject != MODEL]
    yield f"{version} ({version.get_stage_display()}), learned until {version.card['data']['until']}"
    yield f"  {'mean of the backtest':24}" + "".join(f"{subject:>16.15}" for subject in [MODEL, *rivals])
    for name in means[MODEL]:
        row = "".join(f"{_number(means[subject].get(name)):>16}" for subject in [MODEL, *rivals])
        yield f"  {name + (' *' if name == decided_by else ''):24}{row}"
    yield f"  {version.decision}"


def line_of(seconds: Sequence[tuple[str, float]]) -> str:
    """Return the seconds of each step in one line, after their sum."""
    steps = ", ".join(f"{step} {took:.1f}" for step, took in seconds)
    return f"  {sum(took for _, took in seconds):.1f} s: {steps}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
