"""One built-in network per file: its layers, its usual data, and how long it trains."""
