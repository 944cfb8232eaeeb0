"""`--set budget.trials=50`: values that replace those of the file."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dse.config.complaints import Complaints
from dse.config.parse import parse
from dse.config.source import Source, Span
from dse.config.tree import Entry, Items, Map, Node, Scalar, Step, join, steps


def override(root: Node, text: str, complaints: Complaints) -> Node:
    """Return the tree with one `path=value` applied; the value is YAML, as in the file.

    A key that the file does not have is added; a list item must be there.
    """
    key, equals, value = text.partition("=")
    path = key.strip() if key.isprintable() else ""
    source = Source.of(f"--set {path}=..." if path else "--set", text, is_file=False)
    span = Span(source, 1, 1 + len(key) - len(key.lstrip()), len(path))
    found = steps(path)
    if not equals or not found:
        complaints.add(
            span,
            "bad-override",
            "an override is KEY=VALUE, with a key such as budget.trials or constraints[0]",
            "write for example --set budget.trials=50",
        )
        return root
    node = parse(source, value, complaints, offset=len(key) + 1)
    if node is None:
        if not value.strip():
            complaints.add(span, "missing-value", f"{path} is given no value")
        return root
    return _Override(node, span, complaints).put(root, found, ())


@dataclass(frozen=True, slots=True)
class _Override:
    value: Node
    span: Span  # of the whole path
    complaints: Complaints

    def put(self, at: Node, left: tuple[Step, ...], done: tuple[Step, ...]) -> Node:
        """Return `at`, which stands at the path `done`, with the value put at the path `left` below it."""
        if not left:
            return self.value
        step, rest = left[0], left[1:]
        here = (*done, step)
        if isinstance(at, Map) and isinstance(step, str):
            key = Scalar(self._place(here), step, step)
            old = at.get(step)
            below = Map(key.span, ()) if old is None else old.value
            entry = Entry(key, self.put(below, rest, here))
            if old is None:
                return replace(at, entries=(*at.entries, entry))
            return replace(at, entries=tuple(entry if e is old else e for e in at.entries))
        if isinstance(at, Items) and isinstance(step, int) and step < len(at.items):
            item = self.put(at.items[step], rest, here)
            return replace(at, items=(*at.items[:step], item, *at.items[step + 1 :]))
        kind = "one value"
        if isinstance(at, Map):
            kind = "a map"
        elif isinstance(at, Items):
            kind = f"a list of {len(at.items)}, counted from [0]"
        where = join(done) or "the study file"
        self.complaints.add(
            self._place(here), "bad-override", f"{join(here)} cannot be set: {where} is {kind}"
        )
        return at

    def _place(self, path: tuple[Step, ...]) -> Span:
        """Return where the last step of the path stands in the override."""
        last = join(path[-1:])
        return self.span.part(len(join(path)) - len(last), len(last))
