"""One running `up` for these tests; see tests/running.py."""

from tests.running import up

__all__ = ["up"]
