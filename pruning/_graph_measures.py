"""How clustered and how wide a two-mode graph is, and whether that makes it a small world."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]


def clustering(graph: Bools) -> float:
    """Return the share of paths of three edges that close to a square.

    A two-mode graph has no triangles; squares take their place (Robins and Alexander 2004: four times
    the number of squares over the number of three-paths).

    Args:
        graph: `(outputs, inputs)` edges.

    Returns:
        0 to 1; 0 where there is no such path.
    """
    edges = graph.astype(np.int64)
    common = edges @ edges.T
    pairs = np.triu(common * (common - 1) // 2, 1).sum()
    ends = (edges.sum(axis=1) - 1)[:, None] * (edges.sum(axis=0) - 1)
    paths = int((ends * edges).sum())
    return 4 * float(pairs) / paths if paths else 0.0


def distance(graph: Bools) -> float:
    """Return the harmonic mean number of edges between two nodes, of outputs and inputs alike.

    The harmonic mean (Newman 2003) counts a pair without a path as infinitely far.
    """
    outputs, inputs = graph.shape
    nodes = outputs + inputs
    links = np.zeros((nodes, nodes), dtype=np.float32)
    links[:outputs, outputs:] = graph
    links[outputs:, :outputs] = graph.T
    reached = np.eye(nodes, dtype=np.bool_)
    closeness, steps = 0.0, 0
    frontier = reached
    while frontier.any():
        steps += 1
        frontier = (frontier.astype(np.float32) @ links > 0) & ~reached
        reached = reached | frontier
        closeness += float(frontier.sum()) / steps
    return nodes * (nodes - 1) / closeness if closeness else float("inf")


def sigma(graph: Bools, random: tuple[float, float]) -> float:
    """Return the small-world coefficient (C / C of random graphs) / (L / L of random graphs).

    Above 1: more clustered than a random graph of as many edges, at nearly its distances (Humphries and
    Gurney 2008).

    Args:
        graph: `(outputs, inputs)` edges.
        random: mean clustering and distance of random graphs of the same size.

    Returns:
        The coefficient; 1 where random graphs have no square at all, so that there is nothing to compare.
    """
    random_clustering, random_distance = random
    if random_clustering == 0 or not np.isfinite(random_distance):
        return 1.0
    return (clustering(graph) / random_clustering) / (distance(graph) / random_distance)
