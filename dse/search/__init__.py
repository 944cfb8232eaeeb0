"""The joint search: space, evaluation, driver."""
