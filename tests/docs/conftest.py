"""The gateway on a port, and a browser in front of it, as the tests of the other pages have them."""

from tests.web.conftest import browser as browser
from tests.web.conftest import looked_at as looked_at
from tests.web.conftest import site as site
from tests.web.conftest import visitor as visitor
