"""The people, amounts and times of the OpenAPI examples, which belong together: alice pays bob for lunch."""

from gateway.money import Asset, fiat

EUR, USDX = fiat("EUR"), Asset("USDX", "token", 6, "USD")

ALICE, ALICE_ADDRESS = "wal_01h455vb4pex5vsknk084sn02q", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
BOB_ADDRESS = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
SIGNATURE, NONCE, TX_HASH = "0x" + "1c" * 65, "0x" + "7d" * 32, "0x" + "9a" * 32

NOW, SECOND_LATER = "2030-01-31T12:00:00.000000Z", "2030-01-31T12:00:01.250000Z"
MINUTES_LATER, WEEK_LATER = "2030-01-31T12:05:00.000000Z", "2030-02-07T12:00:00.000000Z"
MONTH_LATER = "2030-03-02T12:00:00.000000Z"
