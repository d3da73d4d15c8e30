"""Many balances by one call. Pure.

`eth_call` without a recipient runs code as if it were a contract's constructor, and returns what that would leave as
the contract's code; nothing is deployed. This code calls `balanceOf` for each address in the words behind it, and
returns a list: a word of zeros, then a balance for each. For 500 balances anvil takes 3.5 µs each, instead of 52 µs
with a call for each, and this process 3 µs instead of 14; a hosted node counts one request.

The list counts as a contract's code. So it may have 24,576 bytes (EIP-170), and its first byte may not be 0xEF
(EIP-3541), hence the word of zeros. A contract that does not answer `balanceOf` with one word, or is not there, fails
the whole call.
"""

from collections.abc import Sequence
from typing import Final

from gateway.address import to_bytes
from gateway.chain.token.contract import selector

#: The most addresses in one call; more would fit.
BALANCES_MAX: Final = 500

_WORD: Final = 32

# The stack in the loop, its top last: the token, the place of the next address in this code, where its balance goes.
_CODE: Final = bytes.fromhex(
    f"63{selector('balanceOf').hex()}60e01b600052"  # PUSH4 balanceOf, PUSH1 224, SHL, PUSH1 0, MSTORE
    "6020605160603960605160716060"  # CODECOPY(0x60, 0x51, 32); the token MLOAD(0x60); the places 0x71 and 0x60
    "5b388214604957"  # 0x19 next: JUMPDEST; all are read if CODESIZE EQ place, PUSH1 0x49 JUMPI
    "60208260043960208160246000865afa"  # CODECOPY(4, place, 32); STATICCALL(GAS, token, 0, 36, balance, 32)
    "60203d1416603d5760006000fd"  # unless it succeeded AND RETURNDATASIZE EQ 32: REVERT(0, 0)
    "5b6020019060200190601956"  # 0x3d: JUMPDEST; ADD 32 to both places; JUMP next
    "5b604090036040f3"  # 0x49: JUMPDEST; RETURN(0x40, the place of the next balance less 0x40)
)  # fmt: skip


def code(token: str, addresses: Sequence[str]) -> bytes:
    """Return code that answers with the list of these addresses' balances of the token, at most `BALANCES_MAX`."""
    assert len(addresses) <= BALANCES_MAX
    return _CODE + b"".join(bytes(12) + to_bytes(one) for one in (token, *addresses))


def addresses_in(code: bytes) -> int:
    """Return how many addresses such code has."""
    return (len(code) - len(_CODE)) // _WORD - 1


def balances(answer: bytes, count: int) -> list[int] | None:
    """Return the units in the answer for so many addresses; None if it is no such list."""
    if len(answer) != _WORD * (1 + count) or any(answer[:_WORD]):
        return None
    return [int.from_bytes(answer[at : at + _WORD], "big") for at in range(_WORD, len(answer), _WORD)]
