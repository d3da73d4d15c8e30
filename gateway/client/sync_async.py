"""One implementation for the synchronous and the asynchronous client.

Every method is written once, as a coroutine or an asynchronous generator. `AsyncClient` returns it as it is. `Client`
runs it to its end at once: its transport blocks instead of suspending (transport.py). So it needs no event loop, and
also works inside a running one.

The decorators keep the types: the parameters are written once, and the return type follows from the client.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from functools import update_wrapper
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

from gateway.client.calls import Calls

P = ParamSpec("P")
T = TypeVar("T")


class Sync:
    """The mode of `Client`."""


class Async:
    """The mode of `AsyncClient`."""


Mode = TypeVar("Mode", Sync, Async)


class Resource(Generic[Mode]):
    """The calls of one topic."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls


class call(Generic[P, T]):
    """A method that returns an answer."""

    def __init__(self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]) -> None:
        self._function = function
        update_wrapper(cast("Callable[..., Any]", self), function)

    @overload
    def __get__(self, of: Resource[Sync], kind: object = None) -> Callable[P, T]: ...
    @overload
    def __get__(self, of: Resource[Async], kind: object = None) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, of: None, kind: object = None) -> "call[P, T]": ...
    def __get__(self, of: Any, kind: object = None) -> Any:
        if of is None:
            return self

        def blocking(*args: P.args, **kwargs: P.kwargs) -> T:
            return finished(self._function(of, *args, **kwargs))

        def awaiting(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
            return self._function(of, *args, **kwargs)

        return update_wrapper(blocking if of._calls.blocking else awaiting, self._function)


class iterator(Generic[P, T]):
    """A method that returns an iterator. It is a generator, so it can be closed early."""

    def __init__(self, function: Callable[Concatenate[Any, P], AsyncGenerator[T, None]]) -> None:
        self._function = function
        update_wrapper(cast("Callable[..., Any]", self), function)

    @overload
    def __get__(self, of: Resource[Sync], kind: object = None) -> Callable[P, Generator[T, None, None]]: ...
    @overload
    def __get__(self, of: Resource[Async], kind: object = None) -> Callable[P, AsyncGenerator[T, None]]: ...
    @overload
    def __get__(self, of: None, kind: object = None) -> "iterator[P, T]": ...
    def __get__(self, of: Any, kind: object = None) -> Any:
        if of is None:
            return self

        def blocking(*args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
            return _each(self._function(of, *args, **kwargs))

        def awaiting(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T, None]:
            return self._function(of, *args, **kwargs)

        return update_wrapper(blocking if of._calls.blocking else awaiting, self._function)


def finished(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    coroutine.close()
    raise AssertionError("something suspended in a blocking client")


def _each(generator: AsyncGenerator[T, None]) -> Generator[T, None, None]:
    try:
        while True:
            try:
                item = finished(_next(generator))
            except StopAsyncIteration:
                return
            yield item
    finally:
        finished(generator.aclose())


async def _next(generator: AsyncGenerator[T, None]) -> T:
    return await generator.__anext__()
