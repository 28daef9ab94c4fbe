"""top_k: which ten items does each person take that they have not taken yet? Every item ranked, nothing sampled.

Columns: ``user`` and ``item`` (any values), and ``part`` where the data come cut: 0, 1, 2 or train, validation, test.
One row is one item that one person took; a rating beside it is not looked at, and a pair counts once.

Without ``part`` three quarters of each person's items, drawn by the seed, are learned from and the rest is the test; of
those to learn from 15 % are the validation part. Parameters are chosen by ndcg_at_10 on the validation part; then
everything is learned anew from both, and what a person took in either is left out of their list. Reported: ndcg_at_10
(over the ideal of min(10, wanted)), map_at_10 (over the number of wanted items), precision_at_10 and recall_at_10 (over
the number of wanted items), the mean over people, each by her mean over the seeds, with a 95 % interval by
bootstrap over people.

Estimators: ``popular``, ``item_knn`` and ``ease_plain`` (baselines, the last as published), ``ease`` (which weighs what
is often taken, and active people, less), ``infinite`` (∞-AE), ``ials``, and ``tastes``, the sum of the last three in
shares that are chosen too.

Options: ``people``, how many are judged at most (10000).
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import polars as pl

from mlengine.benchmarks import Asked, BadFile, Line
from mlengine.benchmarks.top_k_parts import (
    CHOICES,
    MOST_CELLS,
    SHARES,
    TASTES,
    Cut,
    K,
    cut_by_part,
    cut_by_person,
    judged,
    measures,
    numbered,
    people_asked,
)
from mlengine.estimators.tastes import standard
from mlengine.interactions import Floats, Ints, Matrix
from mlengine.metrics import ranking

COLUMNS: Final = ("user", "item")
ESTIMATORS: Final = (*CHOICES, "tastes")
OPTIONS: Final = ("people",)
SEEDS: Final = (42, 0, 1)
BASELINES: Final = {"popular", "item_knn", "ease_plain"}
_RANKED = (
    f"all items ranked but those seen, k = {K}, chosen by NDCG on validation, then learned from both; 95 % over people"
)
PROTOCOLS: Final = {
    True: f"the file's own parts; {_RANKED}",
    False: f"75/25 of each person's items by seed, 15 % of the 75 to choose by; {_RANKED}",
}


def run(frame: pl.DataFrame, asked: Asked) -> Iterator[Line]:
    """Yield four lines for each estimator."""
    pairs, shape = numbered(frame)
    parted = "part" in pairs.columns
    seeds = () if parted else asked.seeds or SEEDS
    cuts = [cut_by_part(pairs, shape)] if parted else [cut_by_person(pairs, shape, seed) for seed in seeds]
    runs = [Run(cut, asked, f"seed {seed}") for cut, seed in zip(cuts, seeds or ("of the parts",), strict=True)]
    for name in (*CHOICES, "tastes"):
        if asked.wants(name):
            yield from asked.unless_refused(name, lines("top_k", name, runs, PROTOCOLS[parted], seeds))


class Run:
    """One cut of one file: what was chosen, and what came of it, kept part by part."""

    def __init__(self, cut: Cut, asked: Asked, key: str) -> None:
        self.cut = cut
        self.asked = asked
        most = asked.whole("people", 10_000)
        self.key = f"{key}, at most {most} people"
        self.people = [people_asked(wanted, most, 0) for wanted in (cut.validation, cut.test)]
        if not len(self.people[0]) or not len(self.people[1]):
            raise BadFile("Nobody has an item to choose by and one to be judged by.")
        self.scored = self._scored()
        if max(map(len, self.scored)) * cut.train.shape[1] > MOST_CELLS:
            raise BadFile(
                f"Too much to rank: {len(self.scored[1]):,} people × {cut.train.shape[1]:,} items; set people."
            )

    def _scored(self) -> list[Ints]:
        return self.people

    def found(self, name: str) -> tuple[dict[str, list[float]], float]:
        """Return the values of each metric by person, and the seconds that choosing, learning and answering took."""
        made: dict[str, list[float]]
        made, seconds = self.asked.checkpoints.timed(f"{name}, {self.key}, judged", partial(self._judged, name))
        return made, seconds + sum(map(self._spent, [name] if name in CHOICES else TASTES))

    def _judged(self, name: str) -> dict[str, list[float]]:
        scores = self.tastes(test=True) if name == "tastes" else self.scores(name, test=True)
        return self._values(scores)

    def _values(self, scores: Any) -> dict[str, list[float]]:
        rows = self.people[1]
        scores = self._of_judged(scores, test=True)
        values = measures(*judged(scores, self.cut.known[rows], self.cut.test[rows]))
        return {metric: found.tolist() for metric, found in values.items()}

    def tastes(self, *, test: bool) -> Any:
        """Return the sum of standard scores in the shares that are best on the validation part."""
        shares = self.asked.checkpoints.once(f"shares, {self.key}", self._best_shares)
        return sum(
            share * standard(self.scores(name, test=test)) for share, name in zip(shares, TASTES, strict=True) if share
        )

    def _best_shares(self) -> tuple[float, ...]:
        parts = [standard(self.scores(name, test=False)) for name in TASTES]
        tried = {s: self._on_validation(sum(w * part for w, part in zip(s, parts, strict=True))) for s in SHARES}
        return max(tried, key=lambda shares: tried[shares])

    def scores(self, name: str, *, test: bool) -> Any:
        """Return what the best choice of an estimator says on a part, from its file if it was asked before."""
        best = self._best(name)
        path = self.asked.checkpoints.path(
            f"{name} {CHOICES[name][1][best]}, {self.key}, {'test' if test else 'validation'}", ".npy"
        )
        if not path.exists():
            learned = self.cut.known if test else self.cut.train
            found = self._learned(name, best, learned, self.scored[test])
            aside = path.with_suffix(".aside.npy")
            np.save(aside, found.astype(np.float32))
            aside.rename(path)
        return np.load(path)

    def _best(self, name: str) -> int:
        choices = CHOICES[name][1]
        if len(choices) == 1:
            return 0
        tried = [self._tried(name, n)[0] for n in range(len(choices))]
        return int(np.argmax(tried))

    def _tried(self, name: str, n: int) -> tuple[float, float]:
        def value() -> float:
            return self._on_validation(self._learned(name, n, self.cut.train, self.scored[0]))

        return self.asked.checkpoints.timed(f"{name} {CHOICES[name][1][n]}, {self.key}", value)

    def _spent(self, name: str) -> float:
        choices = CHOICES[name][1]
        return sum(self._tried(name, n)[1] for n in range(len(choices))) if len(choices) > 1 else 0.0

    def _on_validation(self, scores: Any) -> float:
        rows = self.people[0]
        scores = self._of_judged(scores, test=False)
        return float(ranking.ndcg(*judged(scores, self.cut.train[rows], self.cut.validation[rows])).mean())

    def _of_judged(self, scores: Any, *, test: bool) -> Any:
        return scores[np.searchsorted(self.scored[test], self.people[test])]

    def _learned(self, name: str, n: int, learned: Matrix, people: Ints) -> Any:
        made, choices = CHOICES[name]
        return made(**choices[n]).fit(learned).score(learned[people])


def lines(task: str, name: str, runs: Sequence[Run], protocol: str, seeds: tuple[int, ...]) -> Iterator[Line]:
    """Yield a line a metric: the mean over people, each by her mean over the seeds."""
    found = [one.found(name) for one in runs]
    people = np.concatenate([one.people[1] for one in runs])
    for metric in found[0][0]:
        values = np.concatenate([np.array(values[metric]) for values, _ in found])
        measure = ranking.mean_with_interval(by_person(people, values))
        yield Line(
            task=task,
            estimator=name,
            metric=metric,
            value=measure.value,
            low=measure.low,
            high=measure.high,
            protocol=protocol,
            seeds=seeds,
            seconds=sum(seconds for _, seconds in found),
            is_baseline=name in BASELINES,
        )


def by_person(people: Ints, values: Floats) -> Floats:
    """Return each person's mean: of three seeds a person is still one, and an interval must not take her for three.

    >>> by_person(np.array([4, 9, 4]), np.array([0.0, 0.5, 1.0])).tolist()
    [0.5, 0.5]
    """
    _, number = np.unique(people, return_inverse=True)
    return np.asarray(np.bincount(number, values) / np.bincount(number))
