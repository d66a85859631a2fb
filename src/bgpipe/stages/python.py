"""python: a function of the user's, called with each message."""

from __future__ import annotations

import os
import sys

from bgpipe.errors import StageError, hint
from bgpipe.pipeline.callback import FATES, Callback, frames_of, is_failure, problem
from bgpipe.pipeline.events import is_async
from bgpipe.pipeline.options import argument, choice, option
from bgpipe.pipeline.stage import Stage, StageOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import CodeType, ModuleType
    from typing import Any

    from bgpipe._codec import Batch

FUNCTION = "process"  # where no name is given


class PythonOptions(StageOptions):
    """Options of python."""

    batch: bool = option("--batch", "call the function with batches of messages, not with one at a time")
    on_error: str = option(
        "--on-error",
        "what becomes of a message where the function raises an exception: pass, as it came; drop; or stop, and with "
        "it the pipeline",
        kind=choice("FATE", *FATES),
        default="pass",
    )
    script: str = argument("FILE[:FUNCTION]", f"a Python file, and the function in it (default {FUNCTION})")


class Python(Stage):
    """Calls a Python function."""

    command = "python"
    summary = "call a Python function with each message"
    text = (
        "Calls a function in a Python file with each message, a bgpipe.Msg, or with --batch with a bgpipe.Batch of "
        "those that came together. It returns the message to pass it, changed or not, None to drop it, or several "
        "messages that take its place. It may be declared with async def. Where the file has a function setup, it is "
        "called before the first message with the list of words that -A took."
    )
    options_class = PythonOptions
    options: PythonOptions
    looks = True
    emits = True
    together = 1
    events = ("error",)
    extra_arguments = True

    def attach(self) -> None:
        path, colon, name = self.options.script.rpartition(":")
        if not colon or not name.isidentifier():
            path, name = self.options.script, FUNCTION
        self._path = path
        if self.pipe.options.explain:  # what would be done, is not done
            self._compile()
            return
        module = self._load()
        function = self._find(module, name)
        if function is None:
            known = [key for key, value in vars(module).items() if callable(value)]
            raise self.error(f"{path} has no function {name}{hint(name, known) or '; another one is FILE:FUNCTION'}")
        self._setup = self._find(module, "setup")
        if self.args and self._setup is None:
            raise self.error(f"{path} has no function setup that would take the words behind -A")
        self._callback = Callback(self, function, batch=self.options.batch, on_error=self.options.on_error)
        self.waits = self._callback.asynchronous
        self.live = self.waits or is_async(self._setup)

    def _compile(self) -> CodeType:
        path = os.path.abspath(self._path)  # noqa: PTH100
        try:
            with open(path, "rb") as file:
                return compile(file.read(), path, "exec", dont_inherit=True)
        except OSError as error:
            raise self.error(f"cannot read {self._path}: {error.strerror}") from None
        except Exception as error:
            raise self.error(_problem(error, path)) from error

    def _load(self) -> ModuleType:
        """Run the file as a module of this stage's own. Modules beside it can be imported."""
        code = self._compile()
        path = os.path.abspath(self._path)  # noqa: PTH100
        stem = os.path.basename(path).partition(".")[0]  # noqa: PTH119
        module = type(sys)(f"bgpipe_stage_{self.number}_{stem}")
        module.__file__ = path
        folder = os.path.dirname(path)  # noqa: PTH120
        if folder not in sys.path:
            sys.path.append(folder)  # behind the others: what bgpipe imports stays what it is
        sys.modules[module.__name__] = module
        try:
            exec(code, module.__dict__)
        except (Exception, SystemExit) as error:
            del sys.modules[module.__name__]
            raise self.error(_problem(error, path)) from error
        return module

    def _find(self, module: ModuleType, name: str) -> Callable[[Any], Any] | None:
        function: Callable[[Any], Any] | None = getattr(module, name, None)
        if function is not None and not callable(function):
            raise self.error(f"{name} in {self._path} is no function, but {function!r:.60}")
        if isinstance(function, type):  # what it would return is no message
            raise self.error(f"{name} in {self._path} is a class; for a method, write NAME = {name}().METHOD there")
        return function

    def prepare(self) -> Awaitable[None] | None:
        if self._setup is None:
            return None
        try:
            waiting = self._setup(list(self.args))
        except BaseException as error:
            raise self._setup_failed(error) from error
        return self._wait(waiting) if self.live and hasattr(waiting, "__await__") else None

    async def _wait(self, setup: Awaitable[object]) -> None:
        try:
            await setup
        except BaseException as error:
            raise self._setup_failed(error) from error

    def _setup_failed(self, error: BaseException) -> StageError:
        if not is_failure(error):
            raise error
        return StageError(f"setup(): {_problem(error, self._path)}")

    def process(self, batch: Batch, directions: int) -> Batch | Awaitable[Batch | None] | None:
        return self._callback.process(batch, directions)

    def finish(self) -> None:
        self._callback.close()

    def abort(self) -> None:
        self._callback.close()


def _problem(error: BaseException, path: str) -> str:
    """What went wrong and where, on one line."""
    file, line = path, 0
    if isinstance(error, SyntaxError):
        file, line = error.filename or path, error.lineno or 0
        text = f"{type(error).__name__}: {error.msg}"
    else:
        text = problem(error)
        frames = frames_of(error)
        if frames:
            file, line = frames[-1][0].f_code.co_filename, frames[-1][1]
    return f"{file}{f', line {line}' if line else ''}: {text}"
