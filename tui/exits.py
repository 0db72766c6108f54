"""How a command ends: two lines on stderr and an exit code for every error, and a clean end for a stopped recording.

Ctrl-C ends any command with 130; what was committed before stays. This file does not know the commands.
"""

import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import Any, NoReturn

import click

from store.errors import UserError

INTERRUPTED = 130


class Failure(click.ClickException):
    """What happened, and what to do, one line each."""

    def __init__(self, message: str, hint: str, exit_code: int) -> None:
        super().__init__(message)
        self.hint = hint
        self.exit_code = exit_code  # type: ignore[misc]

    def show(self, file: Any = None) -> None:
        for line in filter(None, (self.message, self.hint)):
            click.echo(" ".join(line.split()), err=True)


class Program(click.Group):
    """A group of commands whose every way to end is named here."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            raise _misused(error) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise _misused(error) from None
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None
        except Exception as error:
            _fail(error, debug=bool(ctx.params.get("debug")))


def _misused(error: click.UsageError) -> click.ClickException:
    """Where nothing at all was asked, the help is the answer."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error
    command = error.ctx.command_path if error.ctx else "whereabouts"
    return Failure(error.format_message(), f"Run: {command} --help", error.exit_code)


def _fail(error: Exception, *, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exception(error)
    if isinstance(error, UserError):
        raise Failure(error.message, error.hint, error.exit_code) from error
    happened = f"Unexpected {type(error).__name__}: {error}"
    raise Failure(happened, "" if debug else "Run it again as: whereabouts --debug ...", 1) from error


@contextmanager
def stopping() -> Iterator[Event]:
    """Inside the block Ctrl-C, SIGTERM and a closed terminal set the event instead of ending the program; the second
    time they end it."""
    stop = Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
