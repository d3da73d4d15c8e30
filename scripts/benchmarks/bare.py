"""The chain without a gateway: how fast anvil is with batches that were signed before, and web3.py one at a time.

It is the embedded chain's anvil with the same flags, except that it mines each transaction as it arrives.
"""

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

from msgspec.structs import replace

from benchmarks import one_at_a_time
from benchmarks.revision import HERE
from benchmarks.rig import NODE_MODULES, Rig
from gateway.address import ZERO, of_deployment
from gateway.chain.deployment.deploy import DEPLOY_GAS
from gateway.chain.relayer import batches
from gateway.chain.token import eip3009
from gateway.chain.token.contract import Contract, Roles, deploy_data
from gateway.chain.token.eip3009 import Authorization, Kind
from gateway.embedded.anvil import CHAIN_ID, Anvil
from gateway.embedded.children import Children
from gateway.embedded.rpc import Rpc
from gateway.keys.signer import LOCAL_RELAYER_KEY, RelayerSigner, TransactionFields
from gateway.keys.vault import Vault
from gateway.money import Asset

_FEE_WEI, _TIP_WEI = 500 * 10**9, 10**9  #: More than the base fee reaches in so few blocks.
_NEVER = 2**40  #: Unix seconds.
_PURSES = 1_000
_EACH = 10**12
_MINTED_AT_ONCE = 250
_PATIENCE_SECONDS = 60.0


@dataclass
class _Purse:
    id: UUID
    address: str
    ciphertext: bytes
    next_nonce: int = 0


class Bare:
    """A chain with the token's contract, and a thousand accounts that have tokens."""

    def __init__(self, url: str, rpc: Rpc) -> None:
        self._url = url
        self._rpc = rpc
        self._relayer = RelayerSigner(LOCAL_RELAYER_KEY)
        self._nonce = 0
        self._vault = Vault(bytes(32))
        ids = [uuid4() for _ in range(_PURSES)]
        self._purses = [_Purse(id, *self._vault.new_key(id, f"user_{id.hex[-12:]}")) for id in ids]
        contract = of_deployment(self._relayer.address, 0)
        self._contract = Contract(Asset("USDX", "token", 6, "USD"), CHAIN_ID, contract, 0, bytes(32))
        self._draw = random.Random(1)  # nosec B311 # noqa: S311 - the same payments in every run

    async def prepare(self) -> None:
        """Deploy the contract, and mint for the accounts and for the sender of single transfers."""
        deployment = deploy_data(self._contract.asset, Roles.all_of(self._relayer.address))
        await self._send([self._signed(None, deployment, DEPLOY_GAS)])
        rich = [purse.address for purse in self._purses] + [RelayerSigner(one_at_a_time.KEY).address]
        mints = [_authorization("mint", ZERO, one, _EACH, number) for number, one in enumerate(rich, start=1)]
        parts = [mints[start : start + _MINTED_AT_ONCE] for start in range(0, len(mints), _MINTED_AT_ONCE)]
        await self._send([self._call(eip3009.mint_data(one), batches.gas_limit("mint", one)) for one in parts])

    async def signed_before(self, count: int) -> float:
        """Payments per second in so many full batches, all signed before the first is sent."""
        made = [self._batch() for _ in range(count)]
        raws = [self._call(eip3009.settle_data(one), batches.gas_limit("settle", one)) for one in made]
        started = time.monotonic()
        await self._send(raws)
        return sum(len(one) for one in made) / (time.monotonic() - started)

    async def one_at_a_time(self, seconds: float) -> float:
        """Transfers per second by web3.py, each sent when the receipt of the one before is there."""
        web3 = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "benchmarks.one_at_a_time", self._url, self._contract.address, str(seconds)),
            env=HERE.environ(),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            said, _ = await web3.communicate()
        finally:
            if web3.returncode is None:  # we are being stopped
                web3.kill()
                await web3.wait()
        sent, took = said.split()
        return int(sent) / float(took)

    def _batch(self) -> list[Authorization]:
        """A full batch of payments between random accounts, as the worker would build it."""
        payments = []
        for _ in range(batches.BATCH_MAX):
            payer, payee = self._draw.sample(self._purses, 2)
            unsigned = _authorization("transfer", payer.address, payee.address, 1, payer.next_nonce)
            payer.next_nonce += 1
            digest = eip3009.digest(self._contract, unsigned)
            payments.append(
                replace(unsigned, signature=self._vault.sign(payer.id, payer.address, payer.ciphertext, digest))
            )
        return batches.fitting("settle", payments)

    def _call(self, data: bytes, gas_limit: int) -> str:
        return self._signed(self._contract.address, data, gas_limit)

    def _signed(self, to: str | None, data: bytes, gas_limit: int) -> str:
        fields = TransactionFields(CHAIN_ID, self._nonce, _TIP_WEI, _FEE_WEI, gas_limit, to, 0, data)
        self._nonce += 1
        return "0x" + self._relayer.sign_transaction(fields)[1].hex()

    async def _send(self, raws: Sequence[str]) -> None:
        """Send transactions, and wait until the last of them is mined. Raises where one of them reverted."""
        hashes = [await self._rpc("eth_sendRawTransaction", raw) for raw in raws]
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while await self._rpc("eth_getTransactionReceipt", hashes[-1]) is None:
            if time.monotonic() > give_up:
                raise RuntimeError(f"anvil has not mined {len(raws)} transactions in {_PATIENCE_SECONDS:.0f} s")
            await asyncio.sleep(0.002)
        receipts = await self._rpc.batch("eth_getTransactionReceipt", hashes)
        assert all(receipt["status"] == "0x1" for receipt in receipts), "a transaction reverted"


def _authorization(kind: Kind, payer: str, payee: str, units: int, nonce: int) -> Authorization:
    return Authorization(uuid4(), kind, "USDX", payer, payee, units, nonce, _NEVER, None)


@asynccontextmanager
async def bare(rig: Rig) -> AsyncIterator[Bare]:
    """A fresh chain, in a home of its own below the rig's."""
    home = rig.below("bare").home
    children = await Children.claim(home)
    try:
        anvil = Anvil(home, children, NODE_MODULES, block_seconds=3600.0)  # it mines our transactions, and not by time
        await anvil.start()
        rpc = Rpc(anvil.url)
        try:
            await rpc("evm_setAutomine", True)
            made = Bare(anvil.url, rpc)
            await made.prepare()
            yield made
        finally:
            await rpc.close()
            await anvil.stop()
    finally:
        await children.release()
