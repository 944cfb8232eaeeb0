"""The joint search: space, exact folding, evaluation, driver."""
