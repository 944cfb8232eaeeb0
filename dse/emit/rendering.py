"""The templates of hw_templates/project, filled in; the folder looks like the project that comes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dse.emit.chain import Chain, Module
from hw_templates import folder

PER_MODULE = "MODULE"  # a template with this in its name is rendered once per unit that has tables


def rendered(context: Mapping[str, Any], chain: Chain) -> dict[PurePosixPath, str]:
    """Return every file that a template makes.

    Args:
        context: what the templates read.
        chain: for the templates that are rendered once per unit.
    """
    root = folder("project")
    templates = environment(root)
    files: dict[PurePosixPath, str] = {}
    for path in sorted(p for p in root.rglob("*.j2")):
        name = path.relative_to(root).as_posix()
        template = templates.get_template(name)
        target = name.removesuffix(".j2")
        if PER_MODULE not in target:
            files[PurePosixPath(target)] = template.render(context)
            continue
        for module in with_tables(chain):
            file = target.replace(PER_MODULE, module.name)
            files[PurePosixPath(file)] = template.render(context, module=module)
    return files


def environment(root: Path) -> Environment:
    """Return what renders the templates below `root`; a missing variable is an error."""
    # C++, Verilog, Tcl and Make are not HTML: names are identifiers, numbers are numbers (dse.emit.names)
    return Environment(
        loader=FileSystemLoader(root),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def with_tables(chain: Chain) -> tuple[Module, ...]:
    """Return the units that have constant tables."""
    return tuple(m for m in chain.modules if m.tables)


def copied() -> dict[PurePosixPath, str]:
    """Return the hand-written files that every project has: kernels and simulation headers."""
    return {
        PurePosixPath(target) / path.relative_to(source).as_posix(): path.read_text()
        for source, target in ((folder("kernels"), "src/kernels"), (folder("csim"), "csim"))
        for path in _text_files(source)
    }


def _text_files(root: Path) -> Iterator[Path]:
    names = (
        p for p in root.rglob("*") if p.suffix in (".h", ".hpp") or p.name in ("LICENSE", "NOTICE")
    )
    return iter(sorted(names))
