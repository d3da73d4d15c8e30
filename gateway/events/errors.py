"""What streams refuse."""

from dataclasses import dataclass

from gateway.errors import Conflict


@dataclass(eq=False)
class TooManyStreams(Conflict):
    """As many streams are open as a process takes, of a wallet or in all."""

    most: int
    says = "there are {most} streams open already: close one, or open this one a little later"
