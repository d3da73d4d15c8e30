"""Applications over the services of a test. A process builds the routes once, which takes longer than most tests do.
Each application is a copy that has them in common with the others, and all else to itself.
"""

import warnings
from collections.abc import Callable
from copy import copy
from functools import cache

from litestar.utils.deprecation import LitestarDeprecationWarning

from gateway.api.app import over, routed
from gateway.api.methods import Gateway
from gateway.cli.processes.serve import routes_of
from gateway.http.services import Services


def application(services: Services, maximum: int = 64, at_once: int = 1) -> Gateway:
    """As gateway.api.app has it, without pages."""
    return over(copy(_routed(services.public_url)), services, maximum, at_once)


def gateway_of(services: Services) -> Gateway:
    """As gateway.cli.processes.serve has it, with all pages."""
    return over(copy(_routed(services.public_url, routes_of)), services)


@cache
def _routed(public_url: str, build: Callable[[str], Gateway] = routed) -> Gateway:
    with warnings.catch_warnings(category=LitestarDeprecationWarning, action="ignore"):  # of what Litestar 3 will want
        return build(public_url)
