"""The variables that settings are read from: the environment, the configuration file, and the files of secrets.

Nothing else in the gateway reads `os.environ`.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from gateway.config.config import Config, read
from gateway.config.settings import SECRETS, SETTINGS
from gateway.errors import Misconfigured
from gateway.escape import for_shell


def given(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that look like settings, whether the setting exists or not."""
    return {name: value for name, value in environ.items() if name.startswith("GATEWAY_") and value.strip()}


def from_environment(environ: Mapping[str, str] = os.environ) -> Config:
    """Return the configuration of the environment and its files. Raises Misconfigured, which names the setting and its
    allowed values.
    """
    return read(with_files(environ))


def with_files(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables, with the missing settings from the configuration file, and with secrets read from their
    files. Raises Misconfigured.
    """
    file = environ.get("GATEWAY_CONFIG_FILE", "").strip()
    return (_with_secrets(_of_toml(Path(file))) if file else {}) | _with_secrets(environ)


def _of_toml(file: Path) -> dict[str, str]:
    said = f"GATEWAY_CONFIG_FILE={for_shell(str(file))}"
    try:
        found = tomllib.loads(_text_of("GATEWAY_CONFIG_FILE", file))
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{said}: it is not TOML: {error}") from None
    names, values = {name for name, _, _ in SETTINGS}, dict[str, str]()
    for key, value in found.items():
        name, texts = f"GATEWAY_{key.upper()}", value if isinstance(value, list) else [value]
        if name not in names or key != key.lower():
            raise Misconfigured(f"{said}: {key} is not a setting: remove it; 'gateway --help' lists them")
        if name == "GATEWAY_CONFIG_FILE":
            raise Misconfigured(f"{said}: {key} is not a setting there: remove it")
        if type(value) not in (str, int, float, list) or (
            texts is value and not all(type(one) is str for one in texts)
        ):
            raise Misconfigured(f"{said}: {key} is not a text, a number or a list of texts")
        values[name] = ",".join(map(str, texts))
    return values


def _with_secrets(variables: Mapping[str, str]) -> dict[str, str]:
    found = dict(variables)
    for name in SECRETS:
        if file := variables.get(f"{name}_FILE", "").strip():
            if variables.get(name, "").strip():
                raise Misconfigured(f"{name} and {name}_FILE are both set: remove one")
            found[name] = _text_of(f"{name}_FILE", Path(file)).strip()
    return found


def _text_of(name: str, file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Misconfigured(f"{name}={str(file)!r}: it cannot be read: {why}") from None
