"""The variances and lengths of a kernel that make given records most probable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from cost_models._model import Floats
from cost_models._process import Kernel, Points

STEPS = 150
RATE = 0.05
LENGTH_SPREAD = 1.0  # of the natural logarithm of a length around where it starts
VARIANCE_SPREAD = 1.5
FREE = ("local", "target", "target_shares", "noise")
JITTER = 1e-6


def fitted(start: Kernel, points: Points, values: Floats) -> Kernel:
    """Return the kernel of largest evidence, with log-normal priors around `start`.

    `shares` stays as it is: few records tell how far a term can be off that none of them has much
    of, and the most probable value would be too sure.

    Args:
        start: where to begin.
        points: `n` units.
        values: `(n,)` their corrections.
    """
    place, share = torch.tensor(points.place), torch.tensor(points.share)
    y = torch.tensor(values)
    same = torch.tensor(points.target[:, None] == points.target).double()
    alike = share @ share.T
    begin = torch.tensor(
        np.log([*start.lengths, *(getattr(start, name) for name in FREE)]), dtype=torch.float64
    )
    spread = torch.tensor([LENGTH_SPREAD] * len(start.lengths) + [VARIANCE_SPREAD] * len(FREE))
    logs = begin.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([logs], lr=RATE)
    for _ in range(STEPS):
        lengths = torch.exp(logs[: len(start.lengths)])
        local, target, target_shares, noise = torch.exp(logs[len(start.lengths) :])
        scaled = place / lengths
        size = (scaled**2).sum(-1)
        distance = (size[:, None] + size - 2 * scaled @ scaled.T).clamp(min=0)
        k = (
            local / (1 + distance / 2)
            + start.shares * alike
            + same * (target + target_shares * alike)
            + (noise + JITTER) * torch.eye(len(y), dtype=torch.float64)
        )
        factor = torch.linalg.cholesky(k)
        half = torch.linalg.solve_triangular(factor, y[:, None], upper=False)
        loss = 0.5 * (half**2).sum() + torch.log(torch.diagonal(factor)).sum()
        loss = loss + 0.5 * (((logs - begin) / spread) ** 2).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    best = np.exp(logs.detach().numpy())
    found = dict(zip(FREE, (float(v) for v in best[len(start.lengths) :]), strict=True))
    return replace(start, lengths=best[: len(start.lengths)], **found)
