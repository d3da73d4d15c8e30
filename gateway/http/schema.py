"""Schemas of texts in the OpenAPI document. Pure."""

from collections.abc import Iterable

from msgspec import Meta


def one_of(values: Iterable[str], description: str) -> Meta:
    """Return the schema of a text that is one of these."""
    return Meta(description=description, extra_json_schema={"enum": list(values)})


def typed_id(prefix: str, description: str) -> Meta:
    """Return the schema of a TypeID with this prefix (ids.py)."""
    return Meta(
        description=description,
        examples=[f"{prefix}_01h455vb4pex5vsknk084sn02q"],
        extra_json_schema={"pattern": f"^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$"},
    )
