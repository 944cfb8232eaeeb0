"""From an integer network and a design to an HLS project on disk, and the check that it computes the same."""
