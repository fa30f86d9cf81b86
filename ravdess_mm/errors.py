"""One root exception and its few children.

Every error that a user can cause derives from :class:`RavdessError`; the command line and the pipeline stages
turn it into one line on standard error and the exit status the class carries.
"""

from __future__ import annotations

from pathlib import Path


class RavdessError(Exception):
    """Root of all errors raised on purpose by this package."""

    exit_status = 2


class InputError(RavdessError):
    """Wrong usage or unusable input: says what was received, where, and what is allowed."""


class IdentifierError(InputError, ValueError):
    """A file name is not a RAVDESS identifier."""


class MediaError(RavdessError):
    """One media file cannot be used; the message is the reason that lands in ``rejected.parquet``."""


class LeakageError(RavdessError):
    """An actor stands on both sides of a fit and a score."""


class BundleError(RavdessError):
    """A model on disk is missing a part, was changed, or needs something this version does not trust."""


def one_line(error: Exception, path: Path | None = None) -> str:
    """Return what an error of a library says, on one line and not endlessly; its name where it says nothing.

    Parameters
    ----------
    error : Exception
        The error.
    path : Path, optional
        The file it is about, which is shown by its name alone.
    """
    text = str(error)
    if path is not None:
        text = str(getattr(error, "error_string", None) or getattr(error, "strerror", None) or error)
        text = text.replace(repr(str(path)), path.name).replace(str(path), path.name)
    return printable(" ".join(text.split())[:200]) or type(error).__name__


def printable(value: object) -> str:
    """Return a name as it can be shown: what would move the cursor or colour the text, such as ESC, is escaped."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "backslashreplace").decode()
        for letter in str(value)
    )


def os_reason(error: OSError) -> str:
    """Return the reason of a system error in lower case and without the path."""
    return (error.strerror or type(error).__name__).lower()
