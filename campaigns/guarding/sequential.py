"""Whether a rate has left its band, asked as often as one likes: a test that repeated looks do not mislead.

Each message is a trial: it bounced, was complained of, … or not. The evidence is a mixture of likelihood ratios, of
rates from ``worst`` upwards against ``usual``:

    E(k, n) = Σ_j w_j (q_j / usual)^k ((1 − q_j) / (1 − usual))^(n − k),    worst = q_0 < q_1 < … < 1

While the rate is at most ``usual`` (whatever was seen before), each factor has an expectation of at most 1: E is a
supermartingale, and by Ville's inequality it *ever* comes to 1/α with a probability of at most α, however often and
whenever somebody looks (Wald 1945 for one q; Robbins 1970 for mixtures; Ramdas et al. 2023, "Game-theoretic statistics
and safe anytime-valid inference", for the whole). A rate between the two is neither called well nor ill: evidence
grows only above a point between them, so nobody is woken by a rate of 2.1 % where 2 % are usual.

Feedback comes late, and E grows with k: what is not known yet makes the evidence smaller, never greater, so a message
counts as a trial from the moment that it left.
"""

from functools import lru_cache
from math import exp, log, log1p

LEAST = 1e-6  # what is usual is never nothing: one mishap among a million is no proof
MOST = 0.99
STEP = 1.5  # from one rate of the mixture to the next
FALL = 0.5  # and of its weight: half of it lies on ``worst``, which is found fastest


def evidence(count: int, of: int, usual: float, worst: float) -> float:
    """Return the natural logarithm of the evidence that a rate is above what is usual; at most 0 speaks against it.

    >>> evidence(0, 0, 0.02, 0.05)
    0.0
    >>> evidence(2, 100, 0.02, 0.05) < 0 < 7 < evidence(14, 100, 0.02, 0.05)
    True
    """
    terms = [
        weight + count * up + (of - count) * down for weight, up, down in _mixture(max(usual, LEAST), min(worst, MOST))
    ]
    most = max(terms)
    return most + log(sum(exp(term - most) for term in terms))


def is_proven(log_evidence: float, alpha: float) -> bool:
    """Tell whether the evidence is such as chance brings about, ever, with a probability of at most ``alpha``."""
    return log_evidence >= -log(alpha)


def interval(count: int, of: int, alpha: float) -> tuple[float, float]:
    """Return the bounds of the rate (Wilson's), for a reader who wants to know how sure this is; not for deciding.

    >>> tuple(round(bound, 3) for bound in interval(5, 100, 0.05))
    (0.022, 0.112)
    """
    from statistics import NormalDist  # noqa: PLC0415  # only pages ask

    if not of:
        return 0.0, 1.0
    z, rate = NormalDist().inv_cdf(1 - alpha / 2), count / of
    middle = (rate + z * z / (2 * of)) / (1 + z * z / of)
    half = z * (rate * (1 - rate) / of + z * z / (4 * of * of)) ** 0.5 / (1 + z * z / of)
    return max(0.0, middle - half), min(1.0, middle + half)


@lru_cache(maxsize=256)
def _mixture(usual: float, worst: float) -> tuple[tuple[float, float, float], ...]:
    """Return of each rate its weight, what a mishap multiplies with, and what its absence; all as logarithms."""
    rates = [worst]
    while rates[-1] * STEP < MOST:
        rates.append(rates[-1] * STEP)
    weights = [FALL**place for place in range(len(rates))]
    whole = sum(weights)
    return tuple(
        (log(weight / whole), log(rate / usual), log1p(-rate) - log1p(-usual))
        for rate, weight in zip(rates, weights, strict=True)
    )
