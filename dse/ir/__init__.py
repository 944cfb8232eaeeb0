"""The vocabulary: plain immutable values; imports nothing of `dse` but `dse.errors`."""
