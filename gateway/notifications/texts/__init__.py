"""The texts of notifications, in the reader's language.

language.py   languages, and amounts and times as they write them   (pure)
messages.py   the message of each event                             (pure)
locale/       gettext catalogues; English is in the code

A text is written once, in English, in `say(...)`; tests/notifications/test_texts.py finds each there and checks that
every catalogue has it, with the same placeholders. A new language is a catalogue, its name in `LOCALES` (vocabulary.py)
and a line in `_TIMES` (language.py).
"""
