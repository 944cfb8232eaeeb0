"""Small-world graphs between blocks of input channels and blocks of output channels.

Watts and Strogatz 1998, for two-mode graphs: every output block is joined to its nearest input blocks
on a ring, and a share beta of its edges leads anywhere. Trimmed in stages, without weights: the edges
per output block fall from all as d**(t / T), each stage keeps edges of the one before, drops near edges
first those that are farthest, and keeps long ones. Of several draws of a stage the one with the best
small-world coefficient goes on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pruning._graph_measures import clustering, distance, sigma

STAGES = 4  # from all edges to those that stay
DRAWS = 8  # of every stage
REFERENCES = 8  # random graphs that a draw is compared with
KEPT = 1024  # graphs that are kept: every candidate of a search asks for them again

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Stage:
    """A graph in the making: its edges, and which of them are long."""

    edges: Bools
    long: Bools


@lru_cache(maxsize=KEPT)
def small_world_graph(
    outputs: int, inputs: int, edges: int, beta: float, seed: int, stages: int = STAGES
) -> Bools:
    """Return the `(outputs, inputs)` graph with `edges` edges of every output block.

    Every input block has an edge where there are enough of them.

    Args:
        outputs: blocks of output channels.
        inputs: blocks of input channels.
        edges: per output block, at most `inputs`.
        beta: share of the edges that are rewired; 0: clusters only, 1: a random graph.
        seed: of the draws; the same seed gives the same graph.
        stages: of trimming; 1: at once.
    """
    rng = np.random.default_rng([seed, outputs, inputs, edges])
    random = _of_random_graphs(outputs, inputs, edges)
    stage = _Stage(
        np.ones((outputs, inputs), dtype=np.bool_), np.zeros((outputs, inputs), dtype=np.bool_)
    )
    for t in range(1, stages + 1):
        count = edges if t == stages else round(inputs * (edges / inputs) ** (t / stages))
        drawn = [_trimmed(stage, count, beta, rng) for _ in range(DRAWS if 0 < beta < 1 else 1)]
        stage = max(drawn, key=lambda s: sigma(s.edges, random)) if len(drawn) > 1 else drawn[0]
    stage.edges.flags.writeable = False  # it is shared by all who ask
    return stage.edges


def coefficient(graph: Bools) -> float:
    """Return the small-world coefficient of a graph with equally many edges at every output block."""
    outputs, inputs = graph.shape
    return sigma(graph, _of_random_graphs(outputs, inputs, int(graph[0].sum())))


@lru_cache(maxsize=KEPT)
def _of_random_graphs(outputs: int, inputs: int, edges: int) -> tuple[float, float]:
    """Return mean clustering and distance of graphs of so many random edges at every output block."""
    rng = np.random.default_rng([outputs, inputs, edges])
    graphs = [
        rng.random((outputs, inputs)).argsort(axis=1).argsort(axis=1) < edges
        for _ in range(REFERENCES)
    ]
    return (
        float(np.mean([clustering(g) for g in graphs])),
        float(np.mean([distance(g) for g in graphs])),
    )


def _trimmed(before: _Stage, count: int, beta: float, rng: np.random.Generator) -> _Stage:
    """Return a graph of `count` edges at every output block, all of them edges of the stage before."""
    outputs, inputs = before.edges.shape
    edges, long = np.zeros_like(before.edges), np.zeros_like(before.edges)
    away = _ring_distance(outputs, inputs)
    for j in range(outputs):
        possible = np.flatnonzero(before.edges[j])
        rewired = int(rng.binomial(count, beta))
        nearest = possible[np.argsort(away[j, possible], kind="stable")]
        near = nearest[: count - rewired]
        others = rng.permutation(np.setdiff1d(possible, near))
        # long edges outlive near ones
        others = others[np.argsort(~before.long[j, others], kind="stable")][:rewired]
        edges[j, near] = edges[j, others] = long[j, others] = True
    _reconnect(edges, before.edges)
    _reconnect(edges, np.ones_like(edges))  # where no edge of the stage before will do
    return _Stage(edges, long & edges)


def _ring_distance(outputs: int, inputs: int) -> npt.NDArray[np.float64]:
    """Return `(outputs, inputs)` distances on a ring on which both are spread evenly."""
    centre = (np.arange(outputs) + 0.5) * inputs / outputs
    ahead = np.abs(np.arange(inputs) + 0.5 - centre[:, None])
    result: npt.NDArray[np.float64] = np.minimum(ahead, inputs - ahead)
    return result


def _reconnect(edges: Bools, possible: Bools) -> None:
    """Give every input block without an edge one of an output block that can spare it, in place.

    An output block gives up an edge to an input block that has another, or that gets another in the
    same way: the shortest such chain of exchanges (breadth first).
    """
    for lost in np.flatnonzero(~edges.any(axis=0)).tolist():
        used = edges.sum(axis=0)
        chains = deque([[lost]])  # input, output, input, ...
        seen = {lost}
        while chains:
            chain = chains.popleft()
            if used[chain[-1]] > 1:
                for taker, j, giver in zip(chain[:-1:2], chain[1::2], chain[2::2], strict=True):
                    edges[j, taker], edges[j, giver] = True, False
                break
            for j in np.flatnonzero(possible[:, chain[-1]] & ~edges[:, chain[-1]]).tolist():
                for i in np.flatnonzero(edges[j]).tolist():
                    if i not in seen and j not in chain[1::2]:
                        seen.add(i)
                        chains.append([*chain, j, i])
