"""What gateways and workers have logged since a moment."""

from pathlib import Path

_TRACEBACK = "Traceback (most recent call last):"


class Logs:
    """The logs of gateways and workers in the folder, from what they have now on."""

    def __init__(self, folder: Path) -> None:
        self._begins = {
            log: log.stat().st_size for kind in ("gateway", "worker") for log in folder.glob(f"{kind}-*.log")
        }

    def tracebacks(self) -> list[str]:
        """Where each traceback begins, and the line that says what was raised."""
        return [found for log, begins in self._begins.items() for found in _tracebacks(log, begins)]


def _tracebacks(log: Path, begins: int) -> list[str]:
    """A traceback's lines are indented; what is raised stands in the first line after them that is not."""
    content = log.read_bytes()
    first, lines = content[:begins].count(b"\n") + 1, content[begins:].decode(errors="replace").splitlines()
    found = []
    for number, line in enumerate(lines):
        if _TRACEBACK in line:
            raised = next((after for after in lines[number + 1 :] if after and not after[0].isspace()), "")
            found.append(f"{log}:{first + number}: a traceback: {raised}")
    return found
