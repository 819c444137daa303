"""Hooks, as pyannote.audio calls them and as it has them.

    hook(step_name, step_artifact, file=file, total=total, completed=completed)

`total` and `completed` are given while a step is under way, and its artifact when it is complete.
"""

import time
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import ExitStack
from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from hocket.errors import ConfigError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Hook: TypeAlias = Callable[..., Any]
File: TypeAlias = MutableMapping[str, Any]

SEGMENTATION, EMBEDDINGS = "segmentation", "embeddings"
COUNTING, DISCRETE = "speaker_counting", "discrete_diarization"


class Steps:
    """Calls a hook with the steps of pyannote.audio, one after another.

    Both networks work at the same time here. The progress of embeddings is kept back until the
    segmentation is complete, because hooks expect that a step ends before the next one begins.

    Args:
        hook: to be called.
        file: passed to the hook, which may add to it.
    """

    def __init__(self, hook: Hook, file: File) -> None:
        self._hook = partial(hook, file=file)
        self._current = ""
        self._segmented = self._embedded = (0, 0)  # done, in all

    def advance(self, stage: str, done: int, total: int) -> None:
        """As the `progress` of a Diarizer."""
        if stage != SEGMENTATION:
            self._embedded = done, total
            if self._segmented[0] >= self._segmented[1]:
                self._show_embeddings()
        elif self._current != EMBEDDINGS:  # a file may be longer than its header states
            self._segmented = done, total
            self._show(SEGMENTATION, done, total)

    def finish(self, artifact: Any) -> None:
        """End all steps.

        Args:
            artifact: of the last one; None if nobody speaks, which ends with the counting.
        """
        if self._current != EMBEDDINGS:
            end = self._show_embeddings if self._embedded[0] else self._end_segmentation
            end()
        if artifact is not None:
            self._hook(EMBEDDINGS, None)
            self._hook(DISCRETE, artifact)

    def _show_embeddings(self) -> None:
        if self._current != EMBEDDINGS:
            self._end_segmentation()
        self._show(EMBEDDINGS, *self._embedded)

    def _end_segmentation(self) -> None:
        done, total = self._segmented
        if done < total:  # a file may be shorter than its header states
            self._show(SEGMENTATION, done, done)
        self._hook(SEGMENTATION, None)
        self._hook(COUNTING, None)

    def _show(self, step: str, done: int, total: int) -> None:
        if step != self._current:
            self._current = step
            self._hook(step, None, total=total, completed=0)
        self._hook(step, None, total=total, completed=done)


class ProgressHook:
    """Shows a bar for each step, on standard error.

    Args:
        transient: whether the bars disappear at the end.
        hidden: whether nothing is shown.

    >>> with ProgressHook() as hook:
    ...     output = pipeline("audio.wav", hook=hook)
    """

    def __init__(self, transient: bool = False, hidden: bool = False) -> None:
        self.transient, self.hidden = transient, hidden
        self._progress: Progress | None = None
        self._task: tuple[str, TaskID] | None = None

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        self._progress = Progress(console=console, transient=self.transient, disable=self.hidden)
        self._progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._progress:
            self._progress.stop()
        self._progress = self._task = None

    def __call__(
        self,
        step_name: str,
        step_artifact: Any,  # noqa: ARG002
        file: File | None = None,  # noqa: ARG002
        total: int | None = None,
        completed: int | None = None,
    ) -> None:
        """Move the bar of a step; one without numbers is complete."""
        if self._progress is None:
            raise ConfigError("the hook is not in use; write 'with ProgressHook() as hook:'")
        if completed is None or total is None:
            completed = total = 1
        if self._task is None or self._task[0] != step_name:
            self._task = step_name, self._progress.add_task(step_name)
        self._progress.update(self._task[1], completed=completed, total=total)


class TimingHook:
    """Adds the seconds of each step, and of all (`total`), to the file.

    A step counts from the end of the one before. Most embeddings are computed during the
    segmentation, so its seconds are theirs too.

    Args:
        file_key: key of the dictionary in the file.
    """

    def __init__(self, file_key: str = "timing_hook") -> None:
        self.file_key = file_key
        self._file: File | None = None
        self._began: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._entered = 0.0

    def __enter__(self) -> Self:
        self._file, self._began, self._ended = None, {}, {}
        self._entered = time.perf_counter()
        return self

    def __exit__(self, *_error: object) -> None:
        total = time.perf_counter() - self._entered
        if self._file is not None:
            seconds = {step: end - self._began[step] for step, end in self._ended.items()}
            self._file[self.file_key] = {"total": total, **seconds}

    def __call__(
        self,
        step_name: str,
        step_artifact: Any,  # noqa: ARG002
        file: File | None = None,
        total: int | None = None,
        completed: int | None = None,
    ) -> None:
        """Keep when a step begins and ends."""
        self._file = file
        if completed is None or total is None:
            return
        self._began.setdefault(step_name, max(self._ended.values(), default=self._entered))
        if completed >= total:
            self._ended[step_name] = time.perf_counter()


class ArtifactHook:
    """Adds what steps give to the file.

    Args:
        artifacts: names of steps. Default: all that give something.
        file_key: key of the dictionary in the file.
    """

    def __init__(self, *artifacts: str, file_key: str = "artifact") -> None:
        self.artifacts, self.file_key = artifacts, file_key

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def __call__(
        self,
        step_name: str,
        step_artifact: Any,
        file: File | None = None,
        total: int | None = None,  # noqa: ARG002
        completed: int | None = None,  # noqa: ARG002
    ) -> None:
        """Keep the artifact of a step."""
        is_wanted = not self.artifacts or step_name in self.artifacts
        if file is not None and step_artifact is not None and is_wanted:
            file.setdefault(self.file_key, {})[step_name] = deepcopy(step_artifact)


class Hooks:
    """Several hooks as one.

    >>> with Hooks(ProgressHook(), TimingHook()) as hook:
    ...     output = pipeline(file, hook=hook)
    """

    def __init__(self, *hooks: Hook) -> None:
        self.hooks: Sequence[Hook] = hooks
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for hook in self.hooks:
                if hasattr(hook, "__enter__"):
                    stack.enter_context(hook)  # type: ignore[arg-type] # it is a context manager
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def __call__(self, *given: Any, **named: Any) -> None:
        """Call each of them."""
        for hook in self.hooks:
            hook(*given, **named)
