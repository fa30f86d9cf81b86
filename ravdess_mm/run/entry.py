"""From words on a command line to work, and from what goes wrong to one line and an exit status."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from ravdess_mm.errors import RavdessError, one_line, os_reason, printable
from ravdess_mm.parallel.progress import set_up_logging
from ravdess_mm.run.settings import load_settings
from ravdess_mm.run.stages import help_lines


def stage_main(
    stage: Callable[[Any], None],
    arguments: Sequence[str] | None = None,
    *,
    load: Callable[[Sequence[str]], Any] = load_settings,
) -> int:
    """Run one pipeline stage from the command line: settings in, exit status out.

    Parameters
    ----------
    stage : callable
        Takes what `load` returns: the settings of the run.
    arguments : sequence of str, optional
        ``NAME=value`` as for make; ``--debug`` shows tracebacks, ``--help`` the stage's own words. Default:
        ``sys.argv``.
    load : callable
        Makes the stage's settings of the ``NAME=value`` words.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    set_up_logging(debug=debug)
    if "--help" in words or "-h" in words:
        sys.stdout.write(_stage_help(stage))
        return 0
    return guarded(lambda: stage(load(words)), debug=debug)


def _stage_help(stage: Callable[[Any], None]) -> str:
    return "\n".join([(stage.__doc__ or "").strip(), "", *help_lines("variables")])


def guarded(action: Callable[[], None], *, debug: bool = False) -> int:
    """Run `action`; turn what it raises into one line on standard error and an exit status.

    Returns
    -------
    int
        0 fine, 2 unusable input or an unexpected error, 130 interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the encoding cannot say is escaped
            stream.reconfigure(errors="backslashreplace")
    try:
        action()
        sys.stdout.flush()
    except RavdessError as error:
        if debug:
            traceback.print_exc()
        sys.stderr.write(f"error: {printable(error)}\n")
        return error.exit_status
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; finished work is kept, the same command goes on from there\n")
        return 130
    except BrokenPipeError:  # whoever reads has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if debug:
            traceback.print_exc()
        where = f"{printable(error.filename)}: " if error.filename else ""
        sys.stderr.write(f"error: {where}{os_reason(error)}\n")
        return 2
    except Exception as error:
        if debug:
            traceback.print_exc()
        sys.stderr.write(f"error: unexpected {type(error).__name__}: {one_line(error)} (--debug shows where)\n")
        return 2
    return 0
