"""From "package.module:callable" to a graph. The only place where a user's Python runs: a study file names it."""

from __future__ import annotations

import importlib
import io
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dse.errors import UsageError
from dse.importing import onnx_file

FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
OPSET = 17  # of ONNX


def export(function: str, folder: Path, data_shape: tuple[int, ...]) -> bytes:
    """Call a function without arguments, and return the module it returns as an ONNX file.

    Args:
        function: "package.module:callable".
        folder: of the study file; modules are looked for there first.
        data_shape: of an input of the data, (H, W, C) or (F,). The module takes (1, C, H, W) or (1, F).

    Raises:
        UsageError: there is no such function, it fails, returns something else, or its module cannot be
            exported.
    """
    onnx_file.installed()
    import torch

    module = _called(function, folder)
    if not isinstance(module, torch.nn.Module):
        msg = f"{function} must return a torch.nn.Module, got {type(module).__name__}"
        raise UsageError(msg)
    module = module.cpu().eval()
    shape = (1, data_shape[2], *data_shape[:2]) if len(data_shape) == 3 else (1, *data_shape)
    example = torch.zeros(shape)
    content = io.BytesIO()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of the exporter, about itself
            _export(module, example, content)
    except Exception as error:
        msg = (
            f"the module that {function} returns must be exportable to ONNX for inputs of {shape}, but"
            f" {type(error).__name__}: {error}; see torch.onnx.export"
        )
        raise UsageError(msg) from error
    return content.getvalue()


def _export(module: Any, example: Any, content: io.BytesIO) -> None:
    """Export by tracing: it needs no more than `onnx`, keeps names, and knows the quantisers of Brevitas."""
    import torch

    quantised = any(type(m).__module__.startswith("brevitas.") for m in module.modules())
    if not quantised:
        torch.onnx.export(
            module,
            (example,),
            content,  # type: ignore[arg-type]  # any file of bytes
            dynamo=False,
            opset_version=OPSET,
        )
        return
    from brevitas.export import export_qonnx

    model = export_qonnx(module, args=example, export_path=None, dynamo=False)
    content.write(model.SerializeToString())


def _called(function: str, folder: Path) -> Any:
    if not FUNCTION.fullmatch(function):
        msg = f"a model in Python must be written package.module:callable, got {function!r}"
        raise UsageError(msg)
    name, _, attribute = function.partition(":")
    with _looked_for_in(folder):
        try:
            found = getattr(importlib.import_module(name), attribute)
            return found()
        except UsageError:
            raise
        except Exception as error:
            msg = (
                f"the model {function} must be a function without arguments in a module beside the study file or"
                f" installed, but {type(error).__name__}: {error}"
            )
            raise UsageError(msg) from error


@contextmanager
def _looked_for_in(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
