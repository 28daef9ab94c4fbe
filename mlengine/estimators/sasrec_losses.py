"""The losses of SASRec over (places, width) vectors: all items compete, or some that the whole batch shares."""

import math
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional

_CHUNK: Final = 256  # places; 256 × 3416 scores of two bytes are 1.7 MB, which stay in the cache of a core


def full_softmax(hidden: Tensor, items: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean cross-entropy of the wanted item among all.

    Parameters
    ----------
    hidden : (places, width)
    items : (n_items, width)
    wanted : (places,) int64
        The column that came next.
    """
    summed: Tensor = _FullSoftmax.apply(hidden, items, wanted)  # type: ignore[no-untyped-call]
    return summed / len(wanted)


def sampled_softmax(hidden: Tensor, items: Tensor, wanted: Tensor, drawn: Tensor) -> Tensor:
    """Return the mean cross-entropy of the wanted item among itself and those ``drawn`` evenly for the batch.

    Each drawn item stands for n_items / n others, which its score is raised by (Bengio and Senécal 2008).
    """
    right = (hidden.float() * items[wanted]).sum(1)
    others = _others(hidden, items, wanted, drawn) + math.log(max(len(items) - 1, 1) / len(drawn))
    return (torch.logsumexp(torch.cat([right[:, None], others], 1), 1) - right).mean()


def gbce(hidden: Tensor, items: Tensor, wanted: Tensor, drawn: Tensor, *, calibration: float) -> Tensor:
    """Return the generalised binary cross-entropy of gSASRec (Petrov and Macdonald 2023), a mean over places.

    The wanted item's probability is raised to β = α (t (1 − 1 / α) + 1 / α), α the share of items that is drawn and
    t = ``calibration``: at 0 it is the common loss, at 1 its scores mean what those of all items would.
    """
    alpha = len(drawn) / max(len(items) - 1, 1)
    beta = alpha * (calibration * (1 - 1 / alpha) + 1 / alpha)
    right = (hidden.float() * items[wanted]).sum(1)
    others = _others(hidden, items, wanted, drawn)
    return (-beta * functional.logsigmoid(right) + functional.softplus(others).sum(1)).mean()


def _others(hidden: Tensor, items: Tensor, wanted: Tensor, drawn: Tensor) -> Tensor:
    scores = (hidden @ items[drawn].T.to(hidden.dtype)).float()
    return scores.masked_fill(drawn == wanted[:, None], -math.inf)


class _FullSoftmax(torch.autograd.Function):
    """The summed cross-entropy; forward already works out the gradient, so that places × items is never kept.

    That, and 16-bit products where the processor multiplies them in tiles, makes all items about as cheap as a few.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, items: Tensor, wanted: Tensor) -> Tensor:
        # The types are those that were handed in: autocast does not reach in here.
        weight = items.to(hidden.dtype)
        by_hidden, by_items = torch.empty(hidden.shape), torch.zeros(items.shape)
        loss = torch.zeros(())
        for start in range(0, len(wanted), _CHUNK):
            some, right = hidden[start : start + _CHUNK], items[wanted[start : start + _CHUNK]]
            odds = some @ weight.T
            most = odds.amax(1, keepdim=True)
            odds.sub_(most).exp_()
            total = odds.sum(1, keepdim=True, dtype=torch.float32)
            loss += (total.log() + most.float()).sum() - (some.float() * right).sum()
            by_hidden[start : start + _CHUNK] = (odds @ weight).float() / total - right
            by_items += odds.T @ (some / total).to(hidden.dtype)
        by_items.index_add_(0, wanted, hidden.float(), alpha=-1.0)
        ctx.save_for_backward(by_hidden.to(hidden.dtype), by_items)
        return loss

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> tuple[Tensor | None, ...]:
        by_hidden, by_items = ctx.saved_tensors
        return by_hidden * slopes[0], by_items * slopes[0], None
