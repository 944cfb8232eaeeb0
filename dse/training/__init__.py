"""Training: the float network of a study, and each candidate as an exact integer network."""

from dse.training.base_weights import BaseWeights
from dse.training.errors import TrainingError
from dse.training.finetuning import TrainedNetwork, finetune
from dse.training.pretraining import pretrain

__all__ = ["BaseWeights", "TrainedNetwork", "TrainingError", "finetune", "pretrain"]
