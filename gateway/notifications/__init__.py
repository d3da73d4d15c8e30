"""Notices to people: what happened to their wallet, sent to where they want to be told.

The event log is the queue, as for webhooks: nothing is written for notices in the transaction that makes an event.
Invariants:

  - each event with a notice for a wallet with proved addresses has a notification, written with the cursor that passes
    it;
  - a notice is sent at least once by each channel that is on for its kind, or has failed at every try of four hours,
    and then falls back to the channels that are left; every message of it has the event's id;
  - a security notice reaches every wallet that has an address which can be reached, whatever its owner has switched
    off;
  - nothing but a code is sent to an address before it is proved;
  - an address is encrypted wherever it is kept, and stands in no log, event or error.

    vocabulary.py   the words for kinds, channels and addresses                  (pure)
    kinds.py        which events are notified, and as what kind                  (pure)
    schedule.py     when what failed is tried again                              (pure)
    preference.py   what the owner wants to hear of, by which channel
    address.py      addresses: proved, failed, removed
    delivery.py     the queue: read the log, claim, record, fall back
    notifier.py     what a worker does with all that
    inbox.py        all notices of a wallet, as its page lists them
    channels/       how people are reached: one file for each channel
    push/           what a web push is made of                                    (pure)
    texts/          what they are told, in their language

It knows no payments: the link that reports one is passed in (assembly.py).
"""
