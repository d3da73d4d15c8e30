"""config check: every setting, where its value comes from, and what is wrong with it.

The rules are those of `gateway/config/`, and of the modules that parse a setting later: the URL of the database, the
key files. Here each is applied in turn, so that all faults are reported at once, each with its own sentence.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any, Final, Literal

from gateway.config.config import Config, read
from gateway.config.environment import given, with_files
from gateway.config.settings import SECRETS, SETTINGS
from gateway.errors import Misconfigured
from gateway.keys import key_files
from gateway.notifications.push import vapid
from gateway.postgres import database_url

_NAMED: Final = re.compile(r"\bGATEWAY_[A-Z_]+")


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting and its value in use; for a secret only whether it is set."""

    name: str
    value: str
    source: Literal["environment", "file", "default"]


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: what is wrong and what to do, and the name of the setting."""

    name: str
    message: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """Every setting in the order of the reference, every fault, settings that are missing although everything starts
    without them, and the configuration that the others make.
    """

    settings: list[Setting]
    faults: list[Fault]
    warnings: list[Fault]
    config: Config | None  #: None if there is no usable configuration because of the faults.

    def plain(self) -> dict[str, Any]:
        """The same as plain values, for printing."""
        return {
            "settings": list(map(asdict, self.settings)),
            "faults": list(map(asdict, self.faults)),
            "warnings": list(map(asdict, self.warnings)),
        }


def check(environ: Mapping[str, str]) -> Configuration:
    """Read all settings from these variables. Variables that are not the gateway's are ignored."""
    variables = given(environ)
    faults = list(_unknown(variables))
    values, unread = _with_files(variables)
    faults += unread
    config, wrong = _read(values)
    faults += wrong
    if config is not None:
        faults += _later(config)
    settings = [
        _setting(name, values.get(name, "").strip(), name in variables, default) for name, default, _ in SETTINGS
    ]
    warnings = [] if config is None else list(_missing_for_notifications(config))
    return Configuration(settings, faults, warnings, None if unread or wrong else config)


def _setting(name: str, text: str, is_variable: bool, default: str) -> Setting:
    value = "(set, not shown)" if text and name in SECRETS else text or default
    return Setting(name, value, "default" if not text else "environment" if is_variable else "file")


def _with_files(variables: Mapping[str, str]) -> tuple[Mapping[str, str], list[Fault]]:
    """The variables, completed from the files that they name; without the files if one of them has a fault."""
    try:
        return with_files(variables), []
    except Misconfigured as wrong:
        return variables, [Fault(next(iter(_NAMED.findall(str(wrong))), ""), str(wrong))]


def _unknown(variables: Mapping[str, str]) -> Iterator[Fault]:
    known = [name.removeprefix("GATEWAY_") for name, _, _ in SETTINGS]
    for name in sorted(variables.keys() - {name for name, _, _ in SETTINGS}):
        close = get_close_matches(name.removeprefix("GATEWAY_"), known, 1, cutoff=0.8)
        meant = (
            f"did you mean GATEWAY_{close[0]}? Otherwise remove it"
            if close
            else "remove it; 'gateway --help' lists them"
        )
        yield Fault(name, f"{name} is not a setting: {meant}")


def _read(variables: Mapping[str, str]) -> tuple[Config | None, list[Fault]]:
    """Read them all. A setting that cannot be read is a fault, and the rest is read without it. There is no
    configuration if a fault cannot be attributed to one setting.
    """
    kept, faults = dict(variables), list[Fault]()
    while True:
        try:
            return read(kept), faults
        except Misconfigured as wrong:
            name = next((name for name in _NAMED.findall(str(wrong)) if name in kept), "")
            faults.append(Fault(name, str(wrong)))
            if not name:
                return None, faults
            del kept[name]


def _later(config: Config) -> Iterator[Fault]:
    """Faults that would show only in use. A key file that does not exist yet is created by `gateway migrate`."""
    url, relayers = config.database_url, config.relayer_key_file
    master, root = config.master_key_file, config.root_key_file
    readers: dict[str, Callable[[], object]] = {
        "GATEWAY_DATABASE_URL": lambda: url and database_url.read(url),
        "GATEWAY_RELAYER_KEY_FILE": lambda: relayers and key_files.load_relayer_keys(relayers),
        "GATEWAY_MASTER_KEY_FILE": lambda: master.exists() and key_files.load_master_keys(master),
        "GATEWAY_VAPID_PRIVATE_KEY": lambda: config.vapid_private_key and vapid.read_key(config.vapid_private_key),
        "GATEWAY_ROOT_KEY_FILE": lambda: root.exists() and key_files.load_root_key(root),
    }
    for name, attempt in readers.items():
        try:
            attempt()
        except Misconfigured as fault:
            yield Fault(name, str(fault))


def _missing_for_notifications(config: Config) -> Iterator[Fault]:
    """Settings that notifications need besides their channels. On a single machine none of them has to be set."""
    public = config.public_url
    if config.smtp is not None and public is None:
        yield Fault(
            "GATEWAY_PUBLIC_URL",
            "GATEWAY_PUBLIC_URL is not set, so links in e-mail lead to this machine: set it to where people find the "
            "gateway, such as https://pay.example",
        )
    if config.smtp is not None and public is not None and not public.startswith("https://"):
        yield Fault(
            "GATEWAY_PUBLIC_URL",
            "GATEWAY_PUBLIC_URL is not https, so mail programs offer no unsubscribing by one click (RFC 8058): set it "
            "to an https URL",
        )
    if public is not None and config.vapid_subject is None:
        yield Fault(
            "GATEWAY_VAPID_SUBJECT",
            "GATEWAY_VAPID_SUBJECT is not set and GATEWAY_PUBLIC_URL is not https, so push messages name no sender and "
            "Apple's service refuses them: set it to one such as mailto:ops@pay.example",
        )
