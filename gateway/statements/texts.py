"""The texts of a statement in its reader's language. Texts are English in the code, `say("…")`, and in other languages
in `locale/`. Pure.
"""

from gateway.notifications.texts.language import SOURCE, catalogue


class Texts:
    """The texts in one of the languages of notifications."""

    def __init__(self, locale: str) -> None:
        self._known = {} if locale == SOURCE else catalogue(__package__, "statements", locale)

    def say(self, text: str, **values: object) -> str:
        """Return the text in this language, with these values in its placeholders."""
        return self._known.get(text, text).format(**values)

    def kind(self, purpose: str) -> str:
        """Return a purpose in words; an unknown one is returned as it is."""
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
