"""From YAML text to a tree with places; YAML 1.2 values, and nothing that surprises."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from dse.config.complaints import Complaints
from dse.config.scalars import resolve
from dse.config.source import Source, Span
from dse.config.syntax import explain, spot, unquoted_star
from dse.config.tree import Entry, Items, Map, Node, Scalar, Step, join, quoted

DEEPEST = 20  # levels; a study file needs five


def parse(source: Source, text: str, complaints: Complaints, offset: int = 0) -> Node | None:
    """Parse one YAML document.

    Args:
        source: what the text is shown as.
        text: the YAML text; it starts `offset` characters into the first line of the source.
        complaints: receives what is wrong.
        offset: columns before the text on its first line.

    Returns:
        The tree; None where the text is empty or cannot be understood (complaints then says why).
    """
    try:
        builder = _Builder(text, source, offset, complaints)
        root = builder.document()
        return None if builder.is_foreign else root
    except yaml.reader.ReaderError as error:
        before = text[: error.position].splitlines(keepends=True) or [""]
        column = len(before[-1]) + 1 + (offset if len(before) == 1 else 0)
        complaints.add(
            Span(source, len(before), column, 1),
            "yaml",
            f"the character U+{error.character:04X} may not stand in a study file",
            "is this really a text file?",
        )
    except yaml.MarkedYAMLError as error:
        explain(error, source, offset, complaints)
    except _TooDeepError as error:
        complaints.add(error.span, "yaml", f"nested more than {DEEPEST} levels deep")
    return None


class _TooDeepError(Exception):
    def __init__(self, span: Span) -> None:
        super().__init__()
        self.span = span


class _Builder:
    """Builds nodes from PyYAML's events: its composer would resolve aliases and recurse without limit."""

    def __init__(self, text: str, source: Source, offset: int, complaints: Complaints) -> None:
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.SafeLoader)
        self._source = source
        self._offset = offset
        self._complaints = complaints
        self._anchors: set[str] = set()
        self.is_foreign = False  # whether it holds YAML that a study file does not use

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self._refuse(
                        self._span(event).part(0, 3),
                        "a second YAML document starts here",
                        "a study file is one document; leave '---' out",
                    )
                    return None
                root = self._node(next(self._events), ())
        return root

    def _node(self, event: yaml.Event, path: tuple[Step, ...]) -> Node:
        if len(path) > DEEPEST:
            raise _TooDeepError(self._span(event))
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        assert isinstance(event, yaml.NodeEvent)
        self._refuse_extras(event)
        if isinstance(event, yaml.ScalarEvent):
            plain = event.style is None and event.implicit[0]
            value = resolve(event.value) if plain else event.value
            return Scalar(self._span(event), value, event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(child := next(self._events), yaml.SequenceEndEvent):
                items.append(self._node(child, (*path, len(items))))
            return Items(self._span(event, child), tuple(items))
        entries, end = self._entries(path)
        return Map(self._span(event, end), entries)

    def _entries(self, path: tuple[Step, ...]) -> tuple[tuple[Entry, ...], yaml.Event]:
        found: dict[str, Entry] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, (*path, "?"))
            step = key.text if isinstance(key, Scalar) else "?"
            value = self._node(next(self._events), (*path, step))
            if not isinstance(key, Scalar):
                self._refuse(key.span, "a key must be plain text", "")
            elif key.text == "<<":
                self._refuse(key.span, "merge keys (<<) are not read", "write the keys out")
            elif key.text in found:
                self._complaints.add(
                    key.span,
                    "duplicate-key",
                    f"key {quoted(key.text)} appears twice in {join(path) or 'the study file'}",
                    f"first set on line {found[key.text].key.span.line}",
                )
            else:
                found[key.text] = Entry(key, value)
        return tuple(found.values()), event

    def _alias(self, event: yaml.AliasEvent) -> Scalar:
        span = self._span(event)
        if event.anchor in self._anchors:
            self._refuse(span, "YAML aliases are not read", "write the value out")
        else:
            unquoted_star(self._complaints, span, self._source)
            self.is_foreign = True
        return Scalar(span, f"*{event.anchor}", f"*{event.anchor}")

    def _refuse_extras(self, event: yaml.NodeEvent) -> None:
        span = self._span(event).part(0, 1)
        if event.anchor is not None:
            self._anchors.add(event.anchor)
            self._refuse(span, "YAML anchors are not read", "quote a value that starts with &")
        if getattr(event, "tag", None) is not None:
            self._refuse(span, "YAML tags are not read", "quote a value that starts with !")

    def _refuse(self, span: Span, message: str, hint: str) -> None:
        self._complaints.add(span, "yaml", message, hint)
        self.is_foreign = True

    def _span(self, first: yaml.Event, last: yaml.Event | None = None) -> Span:
        start, end = first.start_mark, (last or first).end_mark
        assert start is not None  # only events made by hand have none
        assert end is not None
        span = spot(self._source, start, self._offset)
        # of what goes on over several lines, the beginning is shown
        return span.part(0, end.column - start.column if start.line == end.line else 1)
