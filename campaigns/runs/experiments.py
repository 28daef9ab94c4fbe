"""Who gets which variant, and who gets nothing so that the report can say what the campaign caused.

Assignment is a hash: the same person, run and salt give the same place however often it is asked, in whichever order,
on whichever machine. Nothing about the person goes in but the number of the profile, so the groups are alike by chance
alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from campaigns.models import Campaign
from campaigns.reporting import lift

HELD_OUT = 0  # as a place in :attr:`Shares.propensities`


@dataclass(frozen=True, kw_only=True)
class Shares:
    """The probabilities by which people are assigned: of nothing first, then of each variant; they sum to one."""

    holdout: float
    variants: Mapping[int, float]

    @property
    def propensities(self) -> list[float]:
        return [self.holdout, *self.variants.values()]

    def to_json(self) -> dict[str, object]:
        return {"holdout": self.holdout, "variants": {str(key): share for key, share in self.variants.items()}}

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> "Shares":
        variants = stored["variants"]
        if not isinstance(variants, dict):
            raise TypeError("The shares of a run have lost their variants.")
        return cls(holdout=float(str(stored["holdout"])), variants={int(k): float(v) for k, v in variants.items()})


def shares(campaign: Campaign) -> Shares:
    """Return what the campaign's people are assigned by: the holdout, and the rest by the variants' weights.

    The messages of a journey are drawn at its steps.
    """
    if campaign.kind == Campaign.Kind.JOURNEY:
        return Shares(holdout=float(campaign.holdout), variants={})
    weights = dict(campaign.variants.order_by("pk").values_list("pk", "weight"))
    if not weights:
        raise ValueError(f"The campaign {campaign} has no variant to send.")
    holdout, whole = float(campaign.holdout), sum(weights.values())
    return Shares(holdout=holdout, variants={key: (1 - holdout) * weight / whole for key, weight in weights.items()})


def uniform(salt: str, profiles: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a number in [0, 1) for each profile: SplitMix64 (Steele, Lea, Flood, 2014) of its id and the salt.

    >>> bool(uniform("a", [1, 2, 1])[2] == uniform("a", [1])[0])
    True
    """
    seed = np.uint64(int.from_bytes(sha256(salt.encode()).digest()[:8]))
    with np.errstate(over="ignore"):
        z = np.asarray(profiles, np.int64).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + seed
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) / 2**53


def assign(salt: str, shares: Shares, profiles: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place of each profile in ``shares.propensities``: 0 is held out, then the variants in order."""
    edges = np.cumsum(shares.propensities)[:-1]
    return np.searchsorted(edges, uniform(salt, profiles), side="right").astype(np.int64)


def kept_from_all(salt: str, share: float, profiles: Sequence[int] | NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which profiles belong to the permanent holdout, which no campaign reaches."""
    return uniform(f"permanent {salt}", profiles) < share


def detectable_lift(
    people: int, base_rate: float, holdout: float, *, variants: int = 1, power: float = 0.8
) -> float | None:
    """Return the smallest rise of the goal's rate that a campaign of equal variants would show; ``None`` if none.

    At the end and at one look, of each variant against those held out, 5 % for all variants together.

    >>> round(detectable_lift(100_000, 0.02, 0.1) or 0, 4)
    0.0044
    """
    treated = people * (1 - holdout) / variants
    return lift.detectable(treated, people * holdout, base_rate, power=power, comparisons=variants)
