"""A training that continues a shorter one: the same with its state at hand and without."""

from __future__ import annotations

import pytest

from dse.compression import canonical
from dse.config.values import DataConfig
from dse.data import digits
from dse.ir.design import Compression
from dse.networks import digits_cnn
from dse.search.tasks import TrainingContext, TrainingTask, train
from dse.training import pretrain

COMPRESSIONS = {
    "binary": Compression(1, 1),
    "blocks": Compression(2, 4, "bcr", 0.5, (4, 4)),
    "filters": Compression(4, 2, "filter", 0.5),
    "prepared": Compression(1, 2, "bcr", 0.5, (4, 4), "admm"),
}


@pytest.fixture(scope="module")
def context() -> TrainingContext:
    data = digits.load(DataConfig("digits", limit={"train": 300}), seed=0)
    network = digits_cnn.build(data.input_shape, data.input_type, data.classes, width=0.5)
    base = pretrain(network, data, epochs=3, seed=0)
    return TrainingContext(network, data, base.arrays(), seed=0)


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_a_training_goes_on_where_the_shorter_one_stopped(
    name: str, context: TrainingContext
) -> None:
    network = context.network
    wanted = canonical(network, {m.name: COMPRESSIONS[name] for m in network.matrix_layers})
    short = train(context, TrainingTask(wanted, 2, None, keep_state=True))
    continued = train(context, TrainingTask(wanted, 1, None, before=2, start=short.state))
    repeated = train(context, TrainingTask(wanted, 1, None, before=2))
    alone = train(context, TrainingTask(wanted, 2, None))
    assert continued.accelerator_digest == repeated.accelerator_digest
    assert continued.accelerator_digest not in (alone.accelerator_digest, short.accelerator_digest)
    assert short.state is not None
    assert alone.state is None
