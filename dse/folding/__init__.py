"""Which foldings a network has, what they cost, and which of them is best."""
