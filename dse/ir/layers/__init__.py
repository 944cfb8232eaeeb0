"""One file per layer type: facts and pure functions about the layer, nothing else."""
