"""The command group, and the one place where errors become exit codes."""

import os
import signal
import sys
import threading
import time
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from rich.text import Text
from typer.core import TyperGroup

from mmrecun import __version__
from mmrecun.cli import (
    audit,
    bench,
    data,
    demo,
    diff,
    doctor,
    evaluate,
    export,
    fold,
    leftovers,
    plan,
    recommend,
    registered,
    train,
    unlearn,
)
from mmrecun.cli.command import Command
from mmrecun.cli.output import print_line, stderr
from mmrecun.errors import MMRecUnError
from mmrecun.text import escape_control

_NARROWEST = 20  # columns of a terminal
_REPEATED = 2.0  # seconds in which a second Ctrl-C is the same one
_SOON = 0.05  # seconds after which a signal is sent again
_UsageError: Any = typer.BadParameter.__base__


class _Stop:
    """Handle a request to stop the command: Ctrl-C, a signal of a supervisor, or a closed terminal.

    All raise the same exception, so that temporary files are removed. Others that follow within two seconds do
    nothing, since they would end the removal.
    """

    exit_code = 128 + signal.SIGINT
    last = -_REPEATED

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Raise the interruption, but not while modules are imported, since C modules turn it into other errors.

        Then the command exits at once if it makes nothing yet, and otherwise after the import.
        """
        if time.monotonic() - self.last < _REPEATED:
            return
        if _is_importing(frame):
            if _makes_something():
                _send_again(number)
                return
            os.write(2, b"stopped\n")
            os._exit(128 + number)
        self.exit_code, self.last = 128 + number, time.monotonic()
        raise KeyboardInterrupt


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _makes_something() -> bool:
    claims = sys.modules.get("mmrecun.claims")  # loaded by the first command that makes something
    return claims is not None and claims.makes_something()


def _send_again(number: int) -> None:
    main_thread = threading.main_thread().ident or 0
    timer = threading.Timer(_SOON, signal.pthread_kill, [main_thread, number])
    timer.daemon = True
    timer.start()


_stop = _Stop()
_SIGNALS = [number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]


class _Group(TyperGroup):
    """The group of all commands; an interrupted one names what is kept, and its exit code the signal."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            print_line(str(stop) or "stopped", stderr)
            raise typer.Exit(_stop.exit_code) from None


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},
    pretty_exceptions_enable=False,
    help="Take users, items, interactions and modalities back out of a trained recommender.",
)
app.add_typer(data.app, name="data")
app.command(cls=Command)(demo.demo)
for module in (
    plan.plan,
    registered.models,
    registered.methods,
    train.train,
    evaluate.evaluate,
    recommend.recommend,
    unlearn.unlearn,
    audit.audit,
    fold.fold,
    diff.diff,
    export.export,
    export.exports,
):
    app.command(cls=Command)(module)
app.add_typer(bench.app, name="bench")
app.command(cls=Command)(doctor.doctor)
app.command(cls=Command)(leftovers.leftovers)


def _version(asked: bool) -> None:
    if asked:
        print_line(f"mmrecun {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


def main() -> None:
    """Run the command line; exit code 2 with one line for a mistake, 128 and more when a signal ended it.

    Waiting threads should sleep: spinning ones slow a shared machine five- to tenfold. The setting is read when torch
    is imported, so it is made here, before any command. Figures are drawn to files, whatever backend a notebook that
    calls this has set.
    """
    _begin_again_in_utf8()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ["MPLBACKEND"] = "Agg"
    _open_what_was_closed()
    if os.environ.get("COLUMNS", "").isdigit() and int(os.environ["COLUMNS"]) < _NARROWEST:
        del os.environ["COLUMNS"]  # terminals of unknown width set it to 0, and tables would be empty
    _escape_what_cannot_be_shown()
    _stop.last = -_REPEATED
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler != signal.SIG_IGN or number == signal.SIGINT:  # nohup has a closing terminal ignored
            signal.signal(number, _stop)
    try:
        _refuse_removed_folder()
        sys.exit(app(prog_name="mmrecun", standalone_mode=False))
    except (KeyboardInterrupt, typer.Abort):
        print_line("stopped", stderr)
        sys.exit(_stop.exit_code)
    except MMRecUnError as error:
        error.names_arguments = False
        _refuse(str(error))
    except _UsageError as error:
        message = error.format_message().rstrip(".").replace("Value error, ", "")
        if not message:  # help was printed, since no command was given
            sys.exit(error.exit_code)
        where = error.ctx.command_path if error.ctx else "mmrecun"
        _refuse(f"{message[:1].lower()}{message[1:]}; see {where} --help")
    except OSError as error:
        reason = error.strerror or str(error)
        _refuse(f"{error.filename}: {reason}" if error.filename else reason)
    except (MemoryError, OverflowError, RuntimeError, TypeError) as error:
        if not _is_about_memory(error):
            raise
        _refuse("there is not enough memory for this; 'mmrecun plan' says what a training takes")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _begin_again_in_utf8() -> None:
    """Restart this process with UTF-8 file names where the locale has others, such as `LC_ALL=C`.

    Polars and PyArrow read names as UTF-8 only. Output keeps the encoding of the terminal. Another program that calls
    the commands is not restarted.
    """
    program = Path(getattr(sys.modules["__main__"], "__file__", None) or "")
    ours = "mmrecun" in (program.stem, program.parent.name if program.stem == "__main__" else "")
    if not ours or sys.getfilesystemencoding() == "utf-8" or os.environ.get("PYTHONUTF8") == "1":
        return
    printed = getattr(sys.stdout, "encoding", "") or "utf-8"
    environment = {"PYTHONIOENCODING": f"{printed}:backslashreplace", **os.environ, "PYTHONUTF8": "1"}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def _refuse_removed_folder() -> None:
    """Say so where the current folder was removed; torch would end with an error of its own."""
    try:
        os.getcwd()  # noqa: PTH109 - nothing is done with it
    except FileNotFoundError:
        _refuse("the current folder was removed; change to another one")


def _escape_what_cannot_be_shown() -> None:
    """Let a terminal of another encoding than UTF-8 get escapes, not errors, for letters that it lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _open_what_was_closed() -> None:
    """Replace an output that was closed, as some supervisors do, by the null device."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - until the process ends


def _is_about_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or any(
        sign in str(error)
        for sign in ("allocate memory", "out of memory", "size calculation overflowed", "verflow when unpacking")
    )


def _refuse(message: str) -> NoReturn:
    stderr.print(Text.assemble(("error:", "red"), " ", escape_control(message)), soft_wrap=True)
    sys.exit(2)
