"""The report: numbers first (`view`), then drawn as HTML or as text from the same numbers."""
