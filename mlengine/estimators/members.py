"""The kinds of models in a tabular ensemble, each with ``fit``, ``raw`` (log-odds), ``save`` and ``load``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, Self
from warnings import catch_warnings, simplefilter

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from mlengine.estimators.crosses import Crosses, find
from mlengine.estimators.design import Design

Array = NDArray[Any]

SHARED: Final[dict[str, Any]] = {
    "objective": "binary",
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}
MANY, FEW = 10, 3  # crossed columns
LARGEST: Final = 30.0  # log-odds beyond are of no use to anybody, and would break the stack


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """Rows to learn from, with what several kinds need: crossed columns, learned and told out of fold."""

    X: Array
    y: Array
    categorical: tuple[int, ...]
    crosses: Crosses
    crossed: Array
    random_state: int

    @classmethod
    def of(cls, X: Array, y: Array, categorical: tuple[int, ...], *, random_state: int) -> Self:
        rng = np.random.default_rng(random_state)
        quick = _grown(X, y, (), random_state, rounds=120, num_leaves=2, learning_rate=0.15, feature_fraction=0.5)
        most = MANY if random_state % 2 == 0 else FEW  # models that see different things say more together
        crosses = Crosses.fit(X, y, find(X, y, np.asarray(quick.predict(X)), rng, most))
        crossed = crosses.out_of_fold(X, y, rng)
        return cls(X=X, y=y, categorical=categorical, crosses=crosses, crossed=crossed, random_state=random_state)

    @classmethod
    def plain(cls, X: Array, y: Array, categorical: tuple[int, ...], *, random_state: int = 0) -> Self:
        """Return rows without crossed columns."""
        return cls(X=X, y=y, categorical=categorical, crosses=Crosses(), crossed=X, random_state=random_state)


class Member(Protocol):
    """One model of a kind."""

    @classmethod
    def fit(cls, rows: Prepared) -> Self: ...

    def raw(self, X: Array) -> Array: ...

    def save(self, directory: Path, name: str) -> None: ...

    @classmethod
    def load(cls, directory: Path, name: str) -> Self: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Additive:
    """Trees of three leaves: nearly a sum of functions of one column each."""

    booster: lightgbm.Booster

    @classmethod
    def fit(cls, rows: Prepared) -> Self:
        return cls(
            booster=_grown(
                rows.X,
                rows.y,
                rows.categorical,
                rows.random_state,
                rounds=600,
                num_leaves=3,
                learning_rate=0.03,
                feature_fraction=0.3,
            )
        )

    def raw(self, X: Array) -> Array:
        return _limited(self.booster.predict(X, raw_score=True))

    def save(self, directory: Path, name: str) -> None:
        (directory / f"{name}.txt").write_text(self.booster.model_to_string(), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path, name: str) -> Self:
        text = (directory / f"{name}.txt").read_text(encoding="utf-8")
        return cls(booster=lightgbm.Booster(model_str=text))


@dataclass(frozen=True, kw_only=True, eq=False)
class Deep:
    """Trees with as many leaves as the rows bear, over single and crossed columns."""

    booster: lightgbm.Booster
    crosses: Crosses

    @classmethod
    def fit(cls, rows: Prepared) -> Self:
        leaves = int(np.clip(len(rows.y) / 600, 6, 31))
        booster = _grown(
            rows.crossed,
            rows.y,
            rows.categorical,
            rows.random_state,
            rounds=300,
            num_leaves=leaves,
            learning_rate=0.03,
            feature_fraction=0.5,
        )
        return cls(booster=booster, crosses=rows.crosses)

    def raw(self, X: Array) -> Array:
        return _limited(self.booster.predict(self.crosses(X), raw_score=True))

    def save(self, directory: Path, name: str) -> None:
        (directory / f"{name}.txt").write_text(self.booster.model_to_string(), encoding="utf-8")
        np.savez(directory / f"{name}.npz", **self.crosses.arrays())  # type: ignore[arg-type]

    @classmethod
    def load(cls, directory: Path, name: str) -> Self:
        text = (directory / f"{name}.txt").read_text(encoding="utf-8")
        crosses = Crosses.from_arrays(_arrays(directory, name))
        return cls(booster=lightgbm.Booster(model_str=text), crosses=crosses)


@dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    """Logistic regression over bent columns and crossed ones."""

    design: Design
    crosses: Crosses
    weight: Array
    intercept: float

    regularisation: ClassVar[float] = 0.01

    @classmethod
    def fit(cls, rows: Prepared) -> Self:
        design = Design.fit(rows.crossed, rows.categorical)
        line = LogisticRegression(C=cls.regularisation, max_iter=1000).fit(design(rows.crossed), rows.y)
        return cls(design=design, crosses=rows.crosses, weight=line.coef_[0], intercept=float(line.intercept_[0]))

    def raw(self, X: Array) -> Array:
        return _limited(self.design(self.crosses(X)) @ self.weight + self.intercept)

    def save(self, directory: Path, name: str) -> None:
        arrays = {f"design_{key}": value for key, value in self.design.arrays().items()}
        arrays |= {f"cross_{key}": value for key, value in self.crosses.arrays().items()}
        line = {"weight": self.weight, "intercept": np.array(self.intercept)}
        np.savez(directory / f"{name}.npz", **arrays, **line)  # type: ignore[arg-type]

    @classmethod
    def load(cls, directory: Path, name: str) -> Self:
        kept = _arrays(directory, name)
        return cls(
            design=Design.from_arrays(_below(kept, "design_")),
            crosses=Crosses.from_arrays(_below(kept, "cross_")),
            weight=kept["weight"],
            intercept=float(kept["intercept"]),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """The mean of a few networks with one hidden layer (rectified), over bent columns."""

    design: Design
    layers: tuple[tuple[Array, Array, Array, Array], ...]

    seeds: ClassVar[int] = 2
    hidden: ClassVar[int] = 32
    steps: ClassVar[int] = 1200

    @classmethod
    def fit(cls, rows: Prepared) -> Self:
        design = Design.fit(rows.X, rows.categorical)
        Z, batch = design(rows.X), max(1, min(128, len(rows.y) // 8))
        epochs = int(np.clip(cls.steps * batch / len(rows.y), 6, 30))
        layers = []
        for seed in range(cls.seeds):
            net = MLPClassifier(
                (cls.hidden,),
                alpha=1.0,
                max_iter=epochs,
                tol=0.0,
                n_iter_no_change=epochs + 1,
                learning_rate_init=0.002,
                batch_size=batch,
                random_state=rows.random_state * cls.seeds + seed,
            )
            with catch_warnings():
                simplefilter("ignore", ConvergenceWarning)  # it is stopped early on purpose
                net.fit(Z, rows.y)
            layers.append((net.coefs_[0], net.intercepts_[0], net.coefs_[1][:, 0], net.intercepts_[1]))
        return cls(design=design, layers=tuple(layers))

    def raw(self, X: Array) -> Array:
        Z = self.design(X)
        each = [np.maximum(Z @ inner + bias, 0.0) @ outer + last for inner, bias, outer, last in self.layers]
        return _limited(np.mean(each, axis=0))

    def save(self, directory: Path, name: str) -> None:
        arrays = {f"design_{key}": value for key, value in self.design.arrays().items()}
        for n, layer in enumerate(self.layers):
            arrays |= {f"layer_{n}_{m}": values for m, values in enumerate(layer)}
        np.savez(directory / f"{name}.npz", **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, directory: Path, name: str) -> Self:
        kept = _arrays(directory, name)
        count = sum(key.startswith("layer_") for key in kept) // 4
        layers = tuple(tuple(kept[f"layer_{n}_{m}"] for m in range(4)) for n in range(count))
        return cls(design=Design.from_arrays(_below(kept, "design_")), layers=layers)  # type: ignore[arg-type]


KINDS: Final[dict[str, type[Member]]] = {"additive": Additive, "deep": Deep, "line": Line, "network": Network}


def kept_members(directory: Path, kind: str, count: int) -> tuple[Member, ...]:
    """Return the members of a kind as they were saved."""
    return tuple(KINDS[kind].load(directory, f"{kind}_{n}") for n in range(count))


def _grown(
    X: Array, y: Array, categorical: tuple[int, ...], seed: int, *, rounds: int, **parameters: Any
) -> lightgbm.Booster:
    least = min(40, max(1, len(y) // 20))
    rows = lightgbm.Dataset(X, y, categorical_feature=list(categorical), free_raw_data=True)
    return lightgbm.train(SHARED | parameters | {"min_data_in_leaf": least, "seed": seed}, rows, rounds)


def _limited(raw: Any) -> Array:
    return np.clip(np.asarray(raw, dtype=np.float64), -LARGEST, LARGEST)


def _arrays(directory: Path, name: str) -> dict[str, Array]:
    with np.load(directory / f"{name}.npz", allow_pickle=False) as read:
        return dict(read)


def _below(kept: dict[str, Array], start: str) -> dict[str, Array]:
    return {key.removeprefix(start): values for key, values in kept.items() if key.startswith(start)}
