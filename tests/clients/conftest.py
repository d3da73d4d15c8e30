"""A gateway of the API's tests, and a running one."""

from tests.api.conftest import shared
from tests.running import up

__all__ = ["shared", "up"]
