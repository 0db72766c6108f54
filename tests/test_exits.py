"""However a command ends, it says so in the same way."""

import os
import signal

import click
import pytest
from click.testing import CliRunner, Result

from store.errors import DiskFull
from tui.exits import Program, stopping


@click.group(cls=Program)
@click.option("--debug", is_flag=True)
def program(debug: bool) -> None:
    pass


@program.command()
def full() -> None:
    raise DiskFull("/memory is full.", "Make room.")


@program.command()
def broken() -> None:
    raise ZeroDivisionError("division by\nzero")


@program.command()
def interrupted() -> None:
    raise KeyboardInterrupt


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, arguments)


def test_a_user_error_is_two_lines_and_its_exit_code() -> None:
    result = run("full")
    assert (result.exit_code, result.stdout, result.stderr) == (6, "", "/memory is full.\nMake room.\n")


def test_an_unexpected_error_is_told_without_a_traceback_and_says_how_to_see_it() -> None:
    result = run("broken")
    assert result.exit_code == 1
    told = ["Unexpected ZeroDivisionError: division by zero", "Run it again as: whereabouts --debug ..."]
    assert result.stderr.splitlines() == told


@pytest.mark.parametrize(("command", "code"), [("full", 6), ("broken", 1)])
def test_debug_shows_where_it_comes_from(command: str, code: int) -> None:
    result = run("--debug", command)
    assert result.exit_code == code and "Traceback" in result.stderr and "test_exits.py" in result.stderr


def test_ctrl_c_is_130() -> None:
    assert run("interrupted").exit_code == 130


def test_a_wrong_argument_is_2() -> None:
    assert run("full", "--fast").exit_code == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_to_stop_and_the_handlers_come_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stopping() as stop:
        os.kill(os.getpid(), number)
        assert stop.wait(1)
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_ends_the_program() -> None:
    with pytest.raises(KeyboardInterrupt), stopping() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(1)
        os.kill(os.getpid(), signal.SIGINT)
        stop.clear()
