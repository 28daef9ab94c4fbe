"""The network of SASRec: what a person took so far, in order, to a vector whose products with items say what is next.

Kang and McAuley 2018, with the norm before each block and items' vectors shared between input and output. Positions
are counted back from the newest item, so that "just now" means the same for short histories and long ones.
"""

import math
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

PADDING: Final = -1  # after the newest item of histories shorter than the longest of a batch


class Network(nn.Module):
    """Causal self-attention over (n, length) columns of items, to (n, length, width) vectors."""

    def __init__(self, n_items: int, *, width: int, blocks: int, heads: int, length: int, dropout: float) -> None:
        super().__init__()
        self.length = length
        self.items = nn.Embedding(n_items, width)
        self.positions = nn.Embedding(length, width)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, heads, self.dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        nn.init.normal_(self.items.weight, std=width**-0.5)
        nn.init.normal_(self.positions.weight, std=width**-0.5)

    def forward(self, item: Tensor) -> Tensor:
        """Return a vector for each place; those of padding mean nothing, and no other looks at them."""
        there = item != PADDING
        age = (there.sum(1, keepdim=True) - 1 - torch.arange(item.shape[1])).clamp(min=0)
        hidden = self.dropout(self.items(item.clamp(min=0)) + self.positions(age))
        for block in self.blocks:
            hidden = block(hidden)
        normed: Tensor = self.norm(hidden)
        return normed


class Block(nn.Module):
    """Attention to what came before, then a feed-forward layer, each added to what comes in."""

    def __init__(self, width: int, heads: int, dropout: "Dropout") -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width)
        self.asked = nn.Linear(width, 3 * width)
        self.told = nn.Linear(width, width)
        self.before_forward = nn.LayerNorm(width)
        self.wide = nn.Linear(width, 2 * width)
        self.narrow = nn.Linear(2 * width, width)
        self.dropout = dropout
        for layer in (self.asked, self.told, self.wide, self.narrow):
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return (n, length, width) from the same."""
        hidden = hidden + self.dropout(self.told(self._seen(self.asked(self.before_attention(hidden)))))
        wide = functional.relu(self.wide(self.before_forward(hidden)))
        added: Tensor = self.dropout(self.narrow(wide))
        return hidden + added

    def _seen(self, asked: Tensor) -> Tensor:
        """Attend by plain products: on a processor they are twice as fast, there and back, as the fused kernel."""
        n, length, _ = asked.shape
        query, key, value = asked.view(n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        later = torch.full((length, length), -1e9, dtype=asked.dtype).triu(1)
        weight = torch.softmax((query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2) + later, -1)
        seen: Tensor = weight.to(value.dtype) @ value
        return seen.transpose(1, 2).reshape(n, length, -1)


class Dropout(nn.Module):
    """Dropout by one random byte a number: torch draws them one by one, which took a quarter of an epoch."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.least = round(share * 256)  # the share is rounded to 256ths
        self.random = np.random.Generator(np.random.SFC64(0))

    def forward(self, hidden: Tensor) -> Tensor:
        """Return ``hidden`` with a share of its numbers 0 and the others raised as much; as it is when not training."""
        if not self.training or not self.least:
            return hidden
        drawn = self.random.bit_generator.random_raw(math.ceil(hidden.numel() / 8)).view(np.uint8)
        kept = torch.from_numpy(drawn[: hidden.numel()]).view(hidden.shape) >= self.least
        dropped: Tensor = hidden * (kept.to(hidden.dtype) * (256 / (256 - self.least)))
        return dropped
