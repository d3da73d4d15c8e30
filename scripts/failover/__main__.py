"""scripts/cluster [--rounds] [ROUND…] [--home FOLDER]"""

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from failover.cluster import Cluster, running
from failover.processes import TEMPORARY
from failover.rounds import ROUNDS, run
from gateway.errors import GatewayError


def main() -> None:
    """Start the cluster; the exit status is 1 where a round found something."""
    parser = argparse.ArgumentParser(
        prog="scripts/cluster",
        description="Three PostgreSQL nodes under Patroni (strictly synchronous), a local chain, two gateways and two "
        "workers, all on 127.0.0.1. Ctrl-C ends all of it.",
        epilog="rounds:\n"
        + "\n".join(f"  {name:12} {(one.__doc__ or '').splitlines()[0]}" for name, one in ROUNDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--rounds",
        nargs="*",
        metavar="ROUND",
        help="have the primary fail in these ways (all of them if none is named) under a load of payments, then check "
        "every answer; a few minutes",
    )
    parser.add_argument("--home", type=Path, help="an empty folder for all state, which is kept; else a temporary one")
    asked = parser.parse_args()
    unknown = [name for name in asked.rounds or [] if name not in ROUNDS]
    if unknown:
        parser.error(f"there is no round {unknown[0]!r}: choose from {', '.join(ROUNDS)}")
    try:
        sys.exit(asyncio.run(_run(_folder(asked.home), asked.rounds)))
    except (GatewayError, TimeoutError) as refused:
        sys.exit(f"scripts/cluster: {refused}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit("scripts/cluster: stopped")


def _folder(home: Path | None) -> Path:
    if home is None:
        folder = Path(tempfile.mkdtemp(prefix="gateway-cluster-"))
        (folder / TEMPORARY).touch()
    else:
        folder = home.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            sys.exit(f"scripts/cluster: {folder} is not empty: name another folder, or remove what is in it")
    folder.chmod(0o711)  # as root, the nodes run as another user, who must be able to pass
    return folder


async def _run(folder: Path, rounds: list[str] | None) -> int:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    print(f"starting in {folder}", flush=True)
    async with running(folder) as cluster:
        _point_out(cluster)
        if rounds is not None:
            return await run(cluster, rounds or list(ROUNDS))
        await asyncio.Event().wait()
    return 0


def _point_out(cluster: Cluster) -> None:
    for name, url in cluster.urls.items():
        print(f"a gateway that knows the nodes by {name} is at {url}")
    for name, value in cluster.settings.items():
        print(f"  export {name}='{value}'")
    print("Ctrl-C stops everything", flush=True)


if __name__ == "__main__":
    main()
