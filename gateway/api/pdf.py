"""Shared by the calls that return a PDF."""

from typing import Annotated, Final, Literal

from litestar.params import QueryParameter

PDF: Final = "application/pdf"

Locale = Annotated[Literal["en", "th"], QueryParameter(description="The language of the PDF.")]
