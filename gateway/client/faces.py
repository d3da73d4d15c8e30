"""One implementation, called in two ways.

Everything is written once, as coroutines and asynchronous generators. In an `AsyncClient` they are given as they are.
In a `Client` they run to their end on the spot: there, whatever they wait for blocks in place of suspending
(transport.py), so no event loop is needed, and none is in the way where one is running already.

The decorators keep the types: what a method takes is written once, and what it returns follows from the client that it
is called by.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from functools import update_wrapper
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

from gateway.client.calls import Calls

P = ParamSpec("P")
T = TypeVar("T")


class Blocking:
    """Of a `Client`."""


class Awaiting:
    """Of an `AsyncClient`."""


Mode = TypeVar("Mode", Blocking, Awaiting)


class Resource(Generic[Mode]):
    """Calls about one thing."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls


class call(Generic[P, T]):
    """A method that returns an answer."""

    def __init__(self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]) -> None:
        self._function = function
        update_wrapper(cast("Callable[..., Any]", self), function)

    @overload
    def __get__(self, of: Resource[Blocking], kind: object = None) -> Callable[P, T]: ...
    @overload
    def __get__(self, of: Resource[Awaiting], kind: object = None) -> Callable[P, Coroutine[Any, Any, T]]: ...
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
    """A method that returns an iterator, which is a generator: it can be closed before its end."""

    def __init__(self, function: Callable[Concatenate[Any, P], AsyncGenerator[T, None]]) -> None:
        self._function = function
        update_wrapper(cast("Callable[..., Any]", self), function)

    @overload
    def __get__(self, of: Resource[Blocking], kind: object = None) -> Callable[P, Generator[T, None, None]]: ...
    @overload
    def __get__(self, of: Resource[Awaiting], kind: object = None) -> Callable[P, AsyncGenerator[T, None]]: ...
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
    """What the coroutine returns, which waits for nothing that does not block."""
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
