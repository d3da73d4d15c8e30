"""Make an e-mail of a message: headers (RFC 5322), and the body as text and as HTML (RFC 2046). Pure.

The HTML has no pictures, no scripts and loads nothing, so nobody learns that a message was read. Styles are inline,
because mail programs drop others.
"""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from typing import Final

from gateway.notifications.channels.channel import Message

_INK, _SOFT, _LINE, _GROUND, _ACCENT = "#14171a", "#5c6268", "#e4e2dc", "#f6f5f1", "#0b6b4a"

#: System fonts; those of Thai have taller lines.
_FONT: Final = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','Noto Sans Thai',sans-serif"


def email(message: Message, sender: Address, to: str) -> bytes:
    """Return the e-mail to this address. The same message has the same Message-ID and Date.

    No text of a message can start a header: the library refuses line ends. The unsubscribe header is added separately,
    because the library would break a long link into encoded words, which mail programs do not open. Raises ValueError
    for a text with a line end.
    """
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = Address(addr_spec=to)
    mail["Subject"] = message.title
    mail["Date"] = message.at
    # Payer and payee may share a mailbox, which would show one of two messages with the same id.
    mail["Message-ID"] = f"<{message.id}.{message.wallet}@{sender.domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834
    mail["Content-Language"] = message.locale
    mail.set_content(text_body(message), cte="base64")
    mail.add_alternative(html_body(message), subtype="html", cte="base64")
    return _unsubscribe(message.unsubscribe_url) + mail.as_bytes()


def _unsubscribe(url: str | None) -> bytes:
    """Return the headers of RFC 2369, and of RFC 8058, which requires https."""
    if url is None:
        return b""
    if not (url.isascii() and url.isprintable()) or set(url) & set(" <>"):
        raise ValueError("a URL has no spaces and no line ends")
    one_click = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" if url.startswith("https://") else ""
    return f"List-Unsubscribe: <{url}>\r\n{one_click}".encode()


def text_body(message: Message) -> str:
    """Return the text part."""
    parts = [message.title]
    if message.code is not None:
        parts.append(message.code)
    parts += message.lines
    if message.details:
        parts.append("\n".join(f"{name}: {value}" for name, value in message.details))
    parts += [f"{link.label}:\n{link.url}" for link in message.links]
    footer = list(message.footer)
    if message.unsubscribe is not None:
        footer.append(f"{message.unsubscribe.label}:\n{message.unsubscribe.url}")
    return "\n\n".join([*parts, "-- \n" + "\n\n".join(footer)]) + "\n"


def html_body(message: Message) -> str:
    """Return the HTML part."""
    code = message.code or ""
    shown_code = (
        f'<p style="margin:16px 0;font-size:36px;font-weight:700;letter-spacing:6px">{escape(code)}</p>' if code else ""
    )
    lines = "".join(f'<p style="margin:0 0 12px">{escape(line)}</p>' for line in message.lines)
    rows = "".join(
        f'<tr><td style="padding:10px 12px 10px 0;border-top:1px solid {_LINE};color:{_SOFT};vertical-align:top">'
        f'{escape(name)}</td><td style="padding:10px 0;border-top:1px solid {_LINE};text-align:right;font-weight:600;'
        f'overflow-wrap:anywhere"><bdi>{escape(value)}</bdi></td></tr>'
        for name, value in message.details
    )
    table = f'<table role="presentation" width="100%" style="border-collapse:collapse;margin:8px 0 16px">{rows}</table>'
    links = "".join(
        f'<p style="margin:16px 0 0"><a href="{escape(link.url)}" style="display:inline-block;padding:12px 20px;'
        f"border-radius:14px;text-decoration:none;font-weight:600;"
        + (f"background:{_ACCENT};color:#ffffff" if link is message.links[-1] else f"color:{_ACCENT};padding-left:0")
        + f'">{escape(link.label)}</a></p>'
        for link in message.links
    )
    footer = "".join(f'<p style="margin:0 0 8px">{escape(line)}</p>' for line in message.footer)
    if message.unsubscribe is not None:
        url, label = escape(message.unsubscribe.url), escape(message.unsubscribe.label)
        footer += f'<p style="margin:0 0 8px"><a href="{url}" style="color:{_SOFT}">{label}</a></p>'
    return (
        f'<!doctype html><html lang="{escape(message.locale)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light">'
        f'<title>{escape(message.title)}</title></head><body style="margin:0;background:{_GROUND};color:{_INK};'
        f'{_FONT};font-size:16px;line-height:1.55"><div style="max-width:520px;margin:0 auto;padding:24px 16px">'
        f'<div style="background:#ffffff;border-radius:20px;padding:24px">'
        '<h1 style="margin:0 0 12px;font-size:22px;line-height:1.35;overflow-wrap:anywhere">'
        f"{escape(message.title)}</h1>"
        f"{shown_code}{lines}{table if rows else ''}{links}</div>"
        f'<div style="padding:16px 24px;color:{_SOFT};font-size:13px;line-height:1.6">{footer}</div>'
        "</div></body></html>"
    )
