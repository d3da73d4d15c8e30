"""Errors of the bank."""

from gateway.errors import UnknownAsset


class NotAtTheBank(UnknownAsset):
    """An asset of the gateway that the bank does not hold."""

    message = "the bank does not hold {asset}; it holds {known}"
