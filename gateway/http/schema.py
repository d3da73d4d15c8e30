"""What the OpenAPI document shows of a value's text. Pure."""

from collections.abc import Iterable

from msgspec import Meta


def one_of(values: Iterable[str], description: str) -> Meta:
    """A text that is one of these."""
    return Meta(description=description, extra_json_schema={"enum": list(values)})


def typed_id(prefix: str, description: str) -> Meta:
    """A TypeID with this prefix (ids.py)."""
    return Meta(
        description=description,
        examples=[f"{prefix}_01h455vb4pex5vsknk084sn02q"],
        extra_json_schema={"pattern": f"^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$"},
    )
