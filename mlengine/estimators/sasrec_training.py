"""Training SASRec, an epoch at a time, so that a killed training goes on from its last epoch.

Everything drawn in an epoch comes from the seed and the number of the epoch: a training that was interrupted gives the
same network as one that was not.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mlengine.estimators.sasrec_batches import batches, latest, windows_of
from mlengine.estimators.sasrec_losses import full_softmax, gbce, sampled_softmax
from mlengine.estimators.sasrec_network import PADDING, Network
from mlengine.estimators.sequences import Sequences
from mlengine.interactions import Floats, Ints

_PEOPLE_AT_ONCE: Final = 256
_LONGEST_STEP: Final = 5.0  # of the gradient, by its norm


def can_halve() -> bool:
    """Return whether this processor multiplies 16-bit numbers in tiles; elsewhere they are slower than 32 bits."""
    return bool(torch.cpu._is_amx_tile_supported())


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a network of SASRec is and how it is trained; see `SASRec` for each."""

    width: int = 64
    blocks: int = 2
    heads: int = 2
    length: int = 50
    dropout: float = 0.3
    loss: str = "softmax"
    negatives: int = 0
    calibration: float = 0.75
    learning_rate: float = 1e-3
    warm_up: int = 100
    averaging: float = 0.995
    places: int = 6400
    further_windows: bool = False
    random_state: int = 0
    half: bool = field(default_factory=can_halve)


@dataclass
class Training:
    """A network under way, its averaged weights (which answer), and how far it is."""

    recipe: Recipe
    network: Network
    averaged: Network
    optimiser: torch.optim.Optimizer
    epoch: int = 0
    steps: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)  # the averaged weights that answered best
    notes: dict[str, Any] = field(default_factory=dict)  # figures by epoch, and the epoch of the best
    data: str = ""  # what is learned from, as a digest

    @classmethod
    def new(cls, recipe: Recipe, sequences: Sequences) -> Self:
        """Return one at its beginning."""
        n_items = sequences.n_items
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.random_state)
            network, averaged = (_network(recipe, n_items) for _ in range(2))
        averaged.load_state_dict(network.state_dict())
        optimiser = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98), fused=True)
        return cls(recipe, network, averaged, optimiser, data=_digest(sequences))

    def run_epoch(self, sequences: Sequences) -> float:
        """Learn from each window once; return the mean loss a place.

        Raises
        ------
        FloatingPointError
            The loss is not finite any more: the weights are lost, and further epochs would not bring them back.
        """
        random = np.random.default_rng((self.recipe.random_state, self.epoch))
        self.network.dropout.random = np.random.Generator(np.random.SFC64((self.recipe.random_state, self.epoch)))
        self.network.train()
        total, places = 0.0, 0
        windows = windows_of(sequences, self.recipe.length + 1, self.recipe.further_windows, random)
        for items in batches(sequences, windows, places=self.recipe.places, random=random):
            asked, wanted = items[:, :-1], items[:, 1:]
            there = wanted != PADDING
            total += self._step(asked, wanted[there], there, random) * int(there.sum())
            places += int(there.sum())
        if not np.isfinite(total):
            raise FloatingPointError(f"The training diverged in epoch {self.epoch + 1}: its loss is {total}.")
        self.epoch += 1
        return total / max(places, 1)

    def _step(self, asked: Tensor, wanted: Tensor, there: Tensor, random: np.random.Generator) -> float:
        recipe = self.recipe
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=recipe.half):
            hidden = self.network(asked)[there]
        loss = self._loss(hidden.bfloat16() if recipe.half else hidden, wanted, random)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _LONGEST_STEP)
        self.steps += 1
        self.optimiser.param_groups[0]["lr"] = recipe.learning_rate * min(1.0, self.steps / max(recipe.warm_up, 1))
        self.optimiser.step()
        self._average()
        return loss.item()

    def _loss(self, hidden: Tensor, wanted: Tensor, random: np.random.Generator) -> Tensor:
        items, recipe = self.network.items.weight, self.recipe
        if recipe.loss == "softmax" and not 0 < recipe.negatives < len(items):
            return full_softmax(hidden, items, wanted)
        drawn = torch.from_numpy(random.choice(len(items), min(recipe.negatives, len(items)), replace=False))
        if recipe.loss == "softmax":
            return sampled_softmax(hidden, items, wanted, drawn)
        return gbce(hidden, items, wanted, drawn, calibration=recipe.calibration)

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averaged weights towards the network's; early on faster, since they begin at random."""
        kept = min(self.recipe.averaging, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(list(self.averaged.parameters()), list(self.network.parameters()), 1 - kept)

    # -- how good it is so far --

    @property
    def asked_in_vain(self) -> int:
        """How often the questions were last asked in a row without a better answer."""
        figures = self.notes.get("figures", {})
        return sum(1 for epoch in figures if int(epoch) > self.notes["best_epoch"])

    def ask(self, sequences: Sequences, people: Ints, wanted: Ints) -> float:
        """Ask who takes what next, remember the weights if none answered better, and return the NDCG@10.

        Who took the wanted item before is not asked: it would be the only one of their own items that is ranked.
        """
        new = ~sequences.took(people, wanted)
        people, wanted = people[new], wanted[new]
        if not len(people):
            return 0.0
        figure = self.ndcg(sequences, people, wanted)
        figures = self.notes.setdefault("figures", {})
        if not figures or figure > max(figures.values()):
            self.notes["best_epoch"] = self.epoch
            self.best = {name: value.clone() for name, value in self.averaged.state_dict().items()}
        figures[str(self.epoch)] = round(figure, 5)
        return figure

    def answering(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the averaged weights that answered best, or the latest where nothing was asked."""
        weights = self.best or self.averaged.state_dict()
        return {name: value.detach().numpy().copy() for name, value in weights.items()}

    @torch.no_grad()
    def vectors(self, sequences: Sequences, people: Ints) -> Tensor:
        """Return what the averaged network makes of these people's histories: (n, width), 0 where there is none."""
        self.averaged.eval()
        made = torch.zeros(len(people), self.recipe.width)
        warm = np.flatnonzero(sequences.lengths[people] > 0)
        warm = warm[np.argsort(sequences.lengths[people[warm]], kind="stable")]
        for start in range(0, len(warm), _PEOPLE_AT_ONCE):
            rows = warm[start : start + _PEOPLE_AT_ONCE]
            items = latest(sequences, people[rows], self.recipe.length)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.recipe.half):
                hidden = self.averaged(items)
            newest = (items != PADDING).sum(1) - 1
            made[rows] = hidden[torch.arange(len(rows)), newest].float()
        return made

    @torch.no_grad()
    def ndcg(self, sequences: Sequences, people: Ints, wanted: Ints) -> float:
        """Return the mean NDCG@10 of one wanted item a person among all they have not taken, ties counted against.

        A score that is no number is no answer, and gains nothing.
        """
        vectors, items = self.vectors(sequences, people), self.averaged.items.weight
        gains: list[Floats] = []
        for start in range(0, len(people), _PEOPLE_AT_ONCE):
            part = slice(start, start + _PEOPLE_AT_ONCE)
            scores = (vectors[part] @ items.T).numpy()
            right = scores[np.arange(len(scores)), wanted[part]].copy()
            scores[sequences.taken[people[part]].nonzero()] = -np.inf
            scores[np.arange(len(scores)), wanted[part]] = right
            above = (~(scores < right[:, None])).sum(1) - 1
            gains.append(np.where((above < 10) & np.isfinite(right), 1 / np.log2(above + 2), 0.0))
        return float(np.concatenate(gains).mean())

    # -- on disk --

    def save(self, file: Path) -> None:
        """Keep all of it, whole or not at all."""
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"averaged.{name}": value for name, value in self.averaged.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        for place, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{place}.{name}": value for name, value in state.items()}
        facts = {"recipe": asdict(self.recipe), "epoch": self.epoch, "steps": self.steps, "notes": self.notes}
        facts |= {"data": self.data}
        aside = file.with_suffix(".aside")
        save_file({name: value.contiguous() for name, value in tensors.items()}, aside, {"facts": json.dumps(facts)})
        os.replace(aside, file)

    @classmethod
    def resumed(cls, file: Path, recipe: Recipe, sequences: Sequences) -> Self:
        """Return the training kept in ``file``; a new one if there is none, or of another recipe or other data."""
        made = cls.new(recipe, sequences)
        if not file.exists():
            return made
        try:
            facts, tensors = _kept(file)
        except SafetensorError:  # cut off, or no such file at all
            return made
        if (Recipe(**facts["recipe"]), facts["data"]) != (recipe, made.data):
            return made
        made._restore(tensors)
        made.epoch, made.steps, made.notes = facts["epoch"], facts["steps"], facts["notes"]
        return made

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        self.network.load_state_dict(_below("network.", tensors))
        self.averaged.load_state_dict(_below("averaged.", tensors))
        self.best = _below("best.", tensors)
        states: dict[int, dict[str, Tensor]] = {}
        for name, value in _below("optimiser.", tensors).items():
            place, _, part = name.partition(".")
            states.setdefault(int(place), {})[part] = value
        self.optimiser.load_state_dict(self.optimiser.state_dict() | {"state": states})


def _network(recipe: Recipe, n_items: int) -> Network:
    return Network(
        n_items,
        width=recipe.width,
        blocks=recipe.blocks,
        heads=recipe.heads,
        length=recipe.length,
        dropout=recipe.dropout,
    )


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _kept(file: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    with safe_open(file, "pt") as kept:
        return json.loads(kept.metadata()["facts"]), {name: kept.get_tensor(name) for name in kept.keys()}  # noqa: SIM118


def _digest(sequences: Sequences) -> str:
    return sha256(
        sequences.item.tobytes() + sequences.ends.tobytes() + bytes(str(sequences.n_items), "ascii")
    ).hexdigest()
