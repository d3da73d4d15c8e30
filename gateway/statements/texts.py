"""What a statement says in its reader's language. Texts are English where they are said, `say("…")`, and in other
languages in `locale/`. Pure.
"""

from gateway.notifications.texts.language import SOURCE, catalogue


class Texts:
    """The texts in one of the languages of notifications."""

    def __init__(self, locale: str) -> None:
        self._known = {} if locale == SOURCE else catalogue(__package__, "statements", locale)

    def say(self, text: str, **values: object) -> str:
        """The text in this language, with these values in its placeholders."""
        return self._known.get(text, text).format(**values)

    def kind(self, purpose: str) -> str:
        """What moved an entry, in words; a purpose that has none stands for itself."""
        say = self.say
        match purpose:
            case "payment":
                return say("Payment")
            case "refund":
                return say("Refund")
            case "deposit":
                return say("From the bank")
            case "withdrawal":
                return say("To the bank")
            case "conversion":
                return say("Conversion")
            case "observation":
                return say("Moved without the gateway")
            case "correction":
                return say("Correction")
            case _:
                return purpose
