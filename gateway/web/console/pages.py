"""All pages of the console."""

from litestar.handlers import HTTPRouteHandler

from gateway.web.console.overview import overview_page
from gateway.web.console.sign_in import console_sign_in_page, enrol_page

CONSOLE: list[HTTPRouteHandler] = [
    console_sign_in_page,
    enrol_page,
    overview_page,
]
