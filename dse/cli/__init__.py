"""The command line: each command parses, calls one function, prints.

stdout is data, stderr is talk. Heavy imports wait inside the commands: `dse --help` needs none of them.
"""

from __future__ import annotations

import sys
import tempfile
import traceback
from pathlib import Path
from typing import NoReturn

import click

from dse import __version__
from dse.cli import calibrate, fold, look, machine, qonnx, search, start, synth, take, use, verify
from dse.cli.output import LOG, print_error
from dse.errors import DseError, UnreachableError, UsageError

EPILOG = """
\b
Exit codes:
  0    done; at least one feasible design     5  Ray, the storage or the disk is away or full
  1    unexpected error (a bug)               6  another driver holds the study, or another file made it
  2    wrong usage or study file              7  an external tool failed, or verification found mismatches
  3    finished, but no feasible design       130, 143  stopped by Ctrl-C or SIGTERM; `dse run` continues
  4    stopped by budget.failures
"""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EPILOG,
)
@click.version_option(__version__, prog_name="dse")
def cli() -> None:
    """Search FPGA neural-network designs: pruning, bit widths and folding, jointly."""


for module in (start, search, fold, look, take, use, verify, qonnx, synth, calibrate, machine):
    for command in module.COMMANDS:
        cli.add_command(command)


def main() -> None:
    """Run the command line; every error ends in one message and a documented exit code."""
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        print_error(error.format_message())
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except DseError as error:
        from dse.config.problems import StudyFileError
        from dse.config.source import masked, printable

        LOG.debug("raised here:\n%s", masked(traceback.format_exc()))
        # a URL that ${NAME} put together may hold a password, the name of a file anything
        said = "\n".join(map(printable, masked(str(error)).split("\n")))
        print_error(said, error.to_json() if isinstance(error, StudyFileError) else ())
        text = said if isinstance(error, StudyFileError) else f"error: {said}"
        click.echo(text, err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()  # the reader went away: nothing is wrong, and nobody is there to tell
        sys.exit(0)
    except OSError as error:
        from dse.store.files import NO_ROOM

        if error.filename is None and error.errno not in NO_ROOM:
            _unexpected()
        text = f"{error.filename or 'a file'} cannot be read or written: {error.strerror}"
        print_error(text)
        click.echo(f"error: {text}", err=True)
        sys.exit(UnreachableError.exit_code if error.errno in NO_ROOM else UsageError.exit_code)
    except Exception:  # noqa: BLE001 - the last resort: no traceback for users
        _unexpected()


def _unexpected() -> NoReturn:
    """Keep the traceback of the error being handled in a file, and exit with 1."""
    from dse.config.source import masked

    error = masked(repr(sys.exc_info()[1]))
    LOG.debug("raised here:\n%s", masked(traceback.format_exc()))
    with tempfile.NamedTemporaryFile(
        "w", prefix="dse-error-", suffix=".txt", delete=False
    ) as handle:
        handle.write(masked(traceback.format_exc()))
    print_error(f"unexpected: {error}")
    click.echo(
        f"error: unexpected: {error}\n"
        f"     = this is a bug in dse; the details are in {Path(handle.name)}",
        err=True,
    )
    sys.exit(1)
