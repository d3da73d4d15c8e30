"""Errors of the bank."""

from gateway.errors import UnknownAsset


class NotAtTheBank(UnknownAsset):
    """An asset of the gateway that no bank keeps."""

    says = "a bank does not keep {asset}; it keeps: {known}"
