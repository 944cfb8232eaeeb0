"""dse: joint search of pruning, bit widths and folding for FPGA neural networks."""

__version__ = "0.1.0"
