"""After the load: is the ledger right, and does it have every acknowledged payment once, and no other?"""

from dataclasses import dataclass

from benchmarks.rig import Ledger, Rig
from gateway.bank import movements
from gateway.ids import read
from gateway.ledger import recount

#: What was checked, in the words of the output.
CHECKED = (
    "the ledger's own recount finds no fault: " + "; ".join(claim for claim, _ in recount.CHECKS),
    "the bank's statement has what the ledger says the bank has",
    "every id that was answered is a settled payment, and no id was answered twice",
    "there are at least as many new payments as were acknowledged, and at most as many more as were asked for and not "
    "answered: none that was refused is there",
    "every payment has one transfer of its own, of its amount, and there is no other transfer of a payment",
    "every payment has one idempotency key of its own",
)

_UNMATCHED = """
SELECT count(*) FROM payment
FULL JOIN (SELECT DISTINCT transfer_id AS id, subject FROM entry WHERE purpose = 'payment') AS posted
    ON posted.id = payment.transfer_id AND posted.subject = payment.id
WHERE payment.id IS NULL OR posted.id IS NULL
"""
_WRONG_ENTRIES = """
SELECT count(*) FROM (
    SELECT payment.id FROM payment LEFT JOIN entry USING (transfer_id)
    GROUP BY payment.id, payment.amount
    HAVING count(*) <> 2 OR min(entry.amount) <> payment.amount OR max(entry.amount) <> payment.amount
) AS wrong
"""
#: A key has its payment or, of callers that are not plain, the answer. A batch's own key has another answer.
_KEYS = """
SELECT count(*), count(DISTINCT payment_id) + count(*) FILTER (WHERE payment_id IS NULL)
FROM (
    SELECT payment_id FROM idempotency_key WHERE payment_id IS NOT NULL OR status = 201
    UNION ALL SELECT id FROM ledger_payment WHERE idempotency_hash IS NOT NULL
) AS kept
"""
_FOUND = """
SELECT count(*), count(DISTINCT acknowledged.id), count(payment.id)
FROM acknowledged LEFT JOIN payment ON payment.id = acknowledged.id AND payment.state = 'settled'
"""


@dataclass(frozen=True)
class Checked:
    """The contents of a ledger in numbers, and every fault in it."""

    ledger: str
    payments: int
    acknowledged: int
    unanswered: int
    refused: int
    faults: tuple[str, ...]

    def __str__(self) -> str:
        right = "right, each of them is there once" if not self.faults else "WRONG: " + "; ".join(self.faults)
        return (
            f"books of {self.ledger}: {self.acknowledged:,} payments acknowledged, {self.refused} refused, "
            f"{self.unanswered} not answered when the clients left, of which {self.payments - self.acknowledged} are "
            f"there; {right}"
        )


async def check(rig: Rig, ledger: Ledger) -> Checked:
    """Recount everything, and compare it with the answers that wrk got."""
    faults = []
    assets = rig.config(ledger.name).assets
    async with (
        rig.connected(ledger.name) as connection,
        connection.transaction(isolation="repeatable_read"),
    ):
        await connection.execute("SET LOCAL work_mem = '128MB'")
        await connection.execute("CREATE TEMPORARY TABLE acknowledged (id uuid) ON COMMIT DROP")
        for file in ledger.ids:
            records = [(read("pay", line),) for line in file.read_text().splitlines()]
            await connection.copy_records_to_table("acknowledged", records=records)
        faults += [f"{fault.claim}: {fault.where}" for fault in await recount.recount(connection)]
        faults += [f"the bank: {one}" for one in await movements.reconcile(connection, assets)]
        [(written, distinct, found)] = await connection.fetch(_FOUND)
        payments = await connection.fetchval("SELECT count(*) FROM payment") - ledger.loaded
        unmatched = await connection.fetchval(_UNMATCHED)
        wrong = await connection.fetchval(_WRONG_ENTRIES)
        [(keys, of_payments)] = await connection.fetch(_KEYS)
    unanswered = ledger.asked - ledger.acknowledged - ledger.refused
    for fault, there in (
        (f"{written} ids were written down of {ledger.acknowledged}", written != ledger.acknowledged),
        (f"{written - distinct} ids were answered twice", written != distinct),
        (f"{written - found} acknowledged payments are not there", written != found),
        (f"{payments} payments are more than were asked for", payments > ledger.acknowledged + unanswered),
        (f"{unmatched} payments and transfers have no other half", unmatched != 0),
        (f"{wrong} payments have other entries than they should", wrong != 0),
        (f"{keys} keys name {of_payments} payments", not keys == of_payments == payments + ledger.loaded),
    ):
        if there:
            faults.append(fault)
    return Checked(ledger.name, payments, ledger.acknowledged, unanswered, ledger.refused, tuple(faults))
