"""From synthesis reports to a cost model: joined with what was built, then learned and judged."""
