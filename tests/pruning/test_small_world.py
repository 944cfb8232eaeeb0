"""Small-world pruning: graphs with the right degrees, nested stages, measures against brute force."""

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from dse.errors import UsageError
from dse.ir.design import Compression
from pruning import small_world
from pruning._block_graph import coefficient, small_world_graph
from pruning._graph_measures import clustering, distance

Bools = npt.NDArray[np.bool_]


def neighbours(graph: Bools) -> list[set[int]]:
    """Of every node, outputs first, the nodes it is joined to."""
    outputs, inputs = graph.shape
    result: list[set[int]] = [set() for _ in range(outputs + inputs)]
    for j, i in np.argwhere(graph):
        result[j].add(outputs + i)
        result[outputs + i].add(int(j))
    return result


def brute_clustering(graph: Bools) -> float:
    """Of all paths a - b - c - d with four different nodes, the share with an edge a - d."""
    joined = neighbours(graph)
    paths = closed = 0
    for b, neighbour in enumerate(joined):
        for c in neighbour:
            for a, d in itertools.product(neighbour - {c}, joined[c] - {b}):
                if a != d:
                    paths += 1
                    closed += d in joined[a]
    return closed / paths if paths else 0.0


def brute_distance(graph: Bools) -> float:
    """Harmonic mean of all distances, by breadth-first search."""
    joined = neighbours(graph)
    closeness = 0.0
    for start in range(len(joined)):
        level, seen, steps = {start}, {start}, 0
        while level:
            steps += 1
            level = set().union(*(joined[n] for n in level)) - seen
            seen |= level
            closeness += len(level) / steps
    return len(joined) * (len(joined) - 1) / closeness


@pytest.mark.parametrize("seed", range(6))
def test_measures_are_those_of_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = rng.random((5 + seed, 7)) < 0.35
    assert clustering(graph) == pytest.approx(brute_clustering(graph))
    assert distance(graph) == pytest.approx(brute_distance(graph))


def test_measures_of_a_square_and_of_a_path() -> None:
    square, path = np.ones((2, 2), dtype=bool), np.array([[True, False], [True, True]])
    assert (clustering(square), clustering(path)) == (1.0, 0.0)
    # two of the three pairs at either side of a square are neighbours
    assert distance(square) == pytest.approx(1 / ((8 + 4 / 2) / 12))


GRAPHS = [(16, 16, 4), (8, 32, 6), (32, 8, 2), (16, 16, 1), (12, 12, 11)]


@pytest.mark.parametrize(("outputs", "inputs", "edges"), GRAPHS)
@pytest.mark.parametrize("beta", [0.0, 0.1, 1.0])
def test_all_outputs_have_equal_work_and_no_input_is_lost(
    outputs: int, inputs: int, edges: int, beta: float
) -> None:
    graph = small_world_graph(outputs, inputs, edges, beta, 3)
    assert (graph.sum(axis=1) == edges).all()
    assert graph.any(axis=0).all()


def test_without_rewiring_every_output_keeps_its_nearest_inputs() -> None:
    graph = small_world_graph(8, 16, 4, 0.0, 0)
    away = np.abs((np.arange(16) + 0.5) - (np.arange(8)[:, None] + 0.5) * 2)
    away = np.minimum(away, 16 - away)
    assert (np.where(graph, away, 0).max(axis=1) <= np.where(graph, 99, away).min(axis=1)).all()


def test_beta_is_the_share_of_long_edges() -> None:
    lattice = small_world_graph(64, 64, 16, 0.0, 0)
    shares = [
        np.mean([(small_world_graph(64, 64, 16, b, s) & ~lattice).sum() for s in range(3)])
        / lattice.sum()
        for b in (0.05, 0.2)
    ]
    # a little less: an edge may be rewired to a near block, and draws with fewer are preferred
    assert shares == pytest.approx([0.05, 0.2], rel=0.3)


def test_rewired_graphs_are_small_worlds_and_random_ones_are_not() -> None:
    for seed in range(3):
        for beta in (0.05, 0.1, 0.2):
            assert coefficient(small_world_graph(32, 32, 8, beta, seed)) > 1.2
        assert coefficient(small_world_graph(32, 32, 8, 1.0, seed)) == pytest.approx(1, abs=0.1)


def test_the_seed_is_all_the_chance_there_is() -> None:
    again = small_world_graph.__wrapped__
    first, second, other = (again(16, 16, 4, 0.2, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_masks_keep_runs_of_channels_at_all_positions_whatever_the_weights() -> None:
    sparsity, block = small_world.legalise(32, 9 * 64, 0.7, (16, 8), positions=9)
    assert (sparsity, block) == (0.75, (16, 8))
    c = Compression(4, 2, "small_world", sparsity, block, beta=0.1)
    rng = np.random.default_rng(0)
    first, second = (
        small_world.mask(rng.normal(size=(32, 576)), c, reorder=True, positions=9, seed=5).kept
        for _ in range(2)
    )
    assert np.array_equal(first, second)
    blocks = first.reshape(2, 16, 9, 8, 8)
    assert (blocks == blocks[:, :1, :1, :, :1]).all()
    assert (first.sum(axis=1) == 144).all()
    tiling = small_world.structure(32, 576, c, positions=9).tiling
    assert tiling is not None
    assert (tiling.run, tiling.positions, tiling.index_bits) == (8, 9, 3)


def test_a_block_is_needed() -> None:
    with pytest.raises(UsageError, match="small_world needs a block"):
        small_world.legalise(8, 8, 0.5, None)
