"""Statements of SQL by name, from the `.sql` file beside the module that uses them."""

import re
from importlib.resources import files


class Statements:
    """The statements of one `.sql` file, by name: `sql.statement_page`. A statement begins at its line `-- name`."""

    def __init__(self, package: str, file: str) -> None:
        text = files(package).joinpath(file).read_text(encoding="utf-8")
        parts = re.split(r"^-- ([a-z][a-z0-9_]*)$", text, flags=re.MULTILINE)
        self._by_name = dict(zip(parts[1::2], (part.strip().rstrip(";") for part in parts[2::2]), strict=True))

    def __getattr__(self, name: str) -> str:
        try:
            statement: str = self._by_name[name]
        except KeyError:
            raise AttributeError(f"no statement -- {name}") from None
        return statement
