"""Asks the process of tests/commands.py for a command. As a script it stands for the command: it passes on its own
folder, environment, arguments and files, and ends with the command's status. When it is killed, so is the command.

It imports little, for it stands where a shell would start the command itself.
"""

import json
import os
import socket
import sys

#: The most bytes of a request: arguments and an environment.
REQUEST_BYTES = 128 * 1024


def ask(
    place: str, arguments: list[str], cwd: str, env: dict[str, str], files: list[int], timeout: float | None = None
) -> int | None:
    """Have the command run, and return its status; None where it took longer than `timeout` seconds and was killed.

    `files` are its standard input, output and error.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
        asking.settimeout(timeout)
        asking.connect(place)
        request = {"argv": arguments, "cwd": cwd, "env": env}
        socket.send_fds(asking, [json.dumps(request).encode()], files)
        try:
            return int(asking.recv(16))
        except TimeoutError:
            return None


if __name__ == "__main__":
    status = ask(sys.argv[1], sys.argv[2:], os.getcwd(), dict(os.environ), [0, 1, 2])
    assert status is not None
    sys.exit(status if status >= 0 else 128 - status)
