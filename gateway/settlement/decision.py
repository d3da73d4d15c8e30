"""Decide what a block range settles, before anything is written. Pure.

Every movement is posted: it settles an authorization, or it is an observation of tokens that moved without the gateway.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.address import ZERO
from gateway.chain.token import eip3009
from gateway.chain.token.contract import Movement
from gateway.chain.token.eip3009 import Authorization
from gateway.chain.token.failure import NONCE_USED_OTHERWISE, Failure
from gateway.chain.watcher.block_range import BlockRange
from gateway.events.log import Event
from gateway.ids import TransferId, new_id
from gateway.ledger import account
from gateway.ledger.transfer import End, Leg, Transfer
from gateway.money import Money, at_par_floor
from gateway.settlement.settles import Known, Outcome, Posted, Settles

Kinds = Sequence[Settles[Any]]


@dataclass(frozen=True, slots=True)
class Expected:
    """Open authorizations by key, and by id the kind and the thing that each belongs to; of those that may fail, the
    hash of the chain transaction that carried each.
    """

    authorizations: Mapping[eip3009.Key, Authorization]
    of: Mapping[UUID, tuple[Settles[Any], Any]]
    sent_as: Mapping[UUID, str]

    def thing(self, authorization: Authorization) -> tuple[Settles[Any], Any]:
        assert authorization.id in self.of, f"no kind knows what authorization {authorization.id} is for"
        return self.of[authorization.id]


@dataclass
class Decision:
    """What is to be written, in the order in which it was decided."""

    steps: list[Transfer | End] = field(default_factory=list)
    observed: list[tuple[Movement, TransferId]] = field(default_factory=list)
    changed: list[tuple[Settles[Any], Any]] = field(default_factory=list)  # Things that settled or failed.
    started: list[tuple[Settles[Any], Any]] = field(default_factory=list)  # Things that a movement started.
    own_nonces: list[eip3009.Key] = field(default_factory=list)  # Used by owners, without the gateway.
    settled: list[UUID] = field(default_factory=list)  # Authorizations, by id.
    failed: dict[UUID, Failure] = field(default_factory=dict)  # Authorizations, and why they failed.
    events: list[Event] = field(default_factory=list)

    def add(self, kind: Settles[Any], outcome: Outcome[Any]) -> None:
        self.changed.append((kind, outcome.thing))
        self.steps += outcome.steps
        self.events += outcome.events

    def of(self, kind: Settles[Any]) -> list[Any]:
        """Return the things of this kind that settled or failed."""
        return [thing for by, thing in self.changed if by is kind]


def key_of(movement: Movement) -> eip3009.Key:
    """Return the key of the authorization that a movement may settle. Its nonce is -1 if the movement used neither a
    nonce nor a reference.
    """
    nonce = movement.reference if movement.reference is not None else movement.nonce
    return movement.asset_code, movement.from_address, nonce if nonce is not None else -1


def decide(
    kinds: Kinds, known: Known, expected: Expected, block_range: BlockRange, now: datetime, again: bool = False
) -> Decision:
    """Decide what the block range's movements and skips settle. A movement within one wallet leaves no observation, so
    when a block is read `again`, it does not start anything a second time.
    """
    decision = Decision()
    for movement in block_range.movements:
        observed = len(decision.observed)
        _post(known, expected, movement, decision, now)
        if not again or len(decision.observed) > observed:
            _notice(kinds, known, movement, decision, now)
        _note_nonce(known, expected, key_of(movement), decision)
    for skip in block_range.skips:
        if skip.ended:
            key = (skip.asset_code, skip.from_address, skip.nonce)
            fail(expected, key, skip.reason, decision)
            _note_nonce(known, expected, key, decision)
    return decision


def fail(expected: Expected, key: eip3009.Key, reason: Failure, decision: Decision) -> None:
    """Fail an authorization that the contract can no longer settle. Does nothing if it has ended already."""
    authorization = expected.authorizations.get(key)
    if authorization is None or authorization.id in decision.settled or authorization.id in decision.failed:
        return
    kind, thing = expected.thing(authorization)
    decision.failed[authorization.id] = reason
    decision.add(kind, kind.fail(thing, reason, expected.sent_as.get(authorization.id)))


def _post(known: Known, expected: Expected, movement: Movement, decision: Decision, now: datetime) -> None:
    """Post one final Transfer log."""
    authorization = expected.authorizations.get(key_of(movement))
    if authorization is None or not authorization.is_settled_by(movement):
        _observe(known, movement, decision, now)
        if authorization is not None:
            fail(expected, authorization.key, NONCE_USED_OTHERWISE, decision)
        return
    kind, thing = expected.thing(authorization)
    outcome = kind.settle(thing, movement, known, now)
    decision.settled.append(authorization.id)
    decision.add(kind, outcome)
    if outcome.posted is None:
        _observe(known, movement, decision, now)
        return
    decision.observed.append((movement, outcome.posted.by))
    _hand_on(known, outcome.posted, movement, decision, now)


def _hand_on(known: Known, posted: Posted, movement: Movement, decision: Decision, now: datetime) -> None:
    """Move the amount on if the address that was paid has another account in the ledger by now: it was bound in the
    meantime, or its wallet has left it.
    """
    there = known.account_at(movement.to_address, known.assets[movement.asset_code])
    if movement.to_address != ZERO and posted.to != there:
        id = TransferId(new_id(now))
        leg = Leg(known.accounts[posted.to], known.accounts[there], movement.value)
        decision.steps.append(Transfer(id, "observation", id, (leg,), unconditional=True))


def _observe(known: Known, movement: Movement, decision: Decision, now: datetime) -> None:
    """Post tokens that moved without the gateway. A movement between two addresses that belong to no wallet is not
    posted.
    """
    token = known.assets[movement.asset_code]
    sender = known.account_at(movement.from_address, token)
    receiver = known.account_at(movement.to_address, token)
    if sender == receiver or movement.value == 0:
        return
    id = TransferId(new_id(now))
    legs = [Leg(known.accounts[sender], known.accounts[receiver], movement.value)]
    owner = known.wallets.get(movement.from_address)
    fiat = at_par_floor(Money(movement.value, token), known.assets.backing(token))
    if movement.to_address == ZERO and owner is not None and fiat.units and owner.id not in known.closed:
        # The wallet's owner redeemed at the contract directly: the reserve pays out at par. A closed wallet takes no
        # fiat, so the reserve keeps it.
        reserve, credited = account.system_account("reserve", fiat.asset), account.wallet(owner.handle, fiat.asset)
        legs.append(Leg(known.accounts[reserve], known.accounts[credited], fiat.units))
    decision.steps.append(Transfer(id, "observation", id, tuple(legs), unconditional=True))
    decision.observed.append((movement, id))
    details: dict[str, object] = {
        "from": _name_at(known, movement.from_address),
        "to": _name_at(known, movement.to_address),
        "amount": Money(movement.value, token).amount,
        "asset": token.code,
        "tx_hash": "0x" + movement.transaction_hash.hex(),
    }
    parties = [known.wallets[a] for a in (movement.from_address, movement.to_address) if a in known.wallets]
    decision.events += [Event("token.observed", party.id, id, details) for party in parties]


def _name_at(known: Known, address: str) -> str:
    return f"@{known.wallets[address].handle}" if address in known.wallets else address


def _notice(kinds: Kinds, known: Known, movement: Movement, decision: Decision, now: datetime) -> None:
    for kind in kinds:
        for started in kind.notice(movement, known, now):
            decision.started.append((kind, started.thing))
            decision.steps += started.steps
            decision.events += started.events


def _note_nonce(known: Known, expected: Expected, key: eip3009.Key, decision: Decision) -> None:
    """Record that a wallet's nonce was used without an authorization here: its owner has signed with their own or an
    exported key.
    """
    if key[1] in known.wallets and key[2] >= 0 and key not in expected.authorizations:
        decision.own_nonces.append(key)
