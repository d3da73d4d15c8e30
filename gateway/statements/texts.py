"""The texts of statements and receipts in their reader's language. Texts are English in the code, `say("…")`, and in
other languages in `locale/`. Pure.
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

    def state(self, state: str) -> str:
        """Return a payment's state in words; an unknown one is returned as it is."""
        say = self.say
        match state:
            case "requires_confirmation":
                return say("Waits for its payer")
            case "held":
                return say("Set aside, not paid yet")
            case "queued" | "submitted":
                return say("On its way")
            case "settled":
                return say("Settled")
            case "failed":
                return say("Failed")
            case "voided":
                return say("Taken back")
            case "expired":
                return say("Expired")
            case "declined":
                return say("Declined")
            case _:
                return state
