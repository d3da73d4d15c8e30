"""Notifications: tell people what happened to their wallet, at the addresses that they choose.

The event log is the queue, as for webhooks: the transaction that appends an event writes nothing for notifications.

Invariants:
  - each event with a notification, for a wallet with confirmed addresses, has a row, written with the cursor
    that passes it;
  - a notification is sent at least once by each channel that is on for its kind, or has failed at every try of four
    hours, and then falls back to the remaining channels; every message of it has the event's id;
  - a security notification reaches every wallet that has a working address, whatever its owner has switched off;
  - nothing but a code is sent to an address before it is confirmed;
  - an address is stored only encrypted, and is in no log, event or error.

    vocabulary.py   the words for kinds, channels and addresses                  (pure)
    kinds.py        which events are notified, and as what kind                  (pure)
    schedule.py     when a failed delivery is retried                            (pure)
    preference.py   which kinds the owner wants, by which channel
    address.py      addresses: add, confirm, fail, remove
    delivery.py     the queue: read the log, claim, record, fall back
    notifier.py     the worker's part
    inbox.py        all notifications of a wallet, as its page lists them
    channels/       how people are reached: one file for each channel
    push/           encrypt and sign web pushes                                   (pure)
    texts/          the texts, in the reader's language

The package knows no payments: the link that reports one is passed in (assembly.py).
"""
