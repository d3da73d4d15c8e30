"""The URL of the database: what libpq takes is taken, and what is wrong is said without showing a password."""

from urllib.parse import urlsplit

import pytest

from gateway.errors import Misconfigured
from gateway.postgres import database_url
from gateway.postgres.database_url import Host, Tcp


def test_libpqs_own_parameters_are_ours_and_not_settings_of_the_server() -> None:
    read = database_url.read(
        "postgresql://u:p%40w@h1:5432,h2/db?connect_timeout=3&keepalives_idle=20&tcp_user_timeout=4000"
        "&application_name=pay&gssencmode=disable&channel_binding=prefer&sslmode=require&options=-csearch_path%3Dpay"
    )
    assert read.url == "postgresql://u:p%40w@h1:5432,h2/db?sslmode=require&options=-csearch_path%3Dpay"
    assert (read.connect_seconds, read.application_name) == (3, "pay")
    assert read.tcp == Tcp(keepalives_idle=20, tcp_user_timeout=4000)


def test_a_connect_timeout_is_as_libpq_has_it() -> None:
    seconds = [database_url.read(f"postgres:///x{query}").connect_seconds for query in ("", *_timeouts("0", "1", "7"))]
    assert seconds == [None, None, 2, 7]


def test_of_several_hosts_each_is_known_with_its_port() -> None:
    by_authority = database_url.read(
        "postgresql://u:p@h1:5433,[::1],%2Frun%2Fpg:5434/db?target_session_attrs=read-write"
    )
    assert by_authority.hosts == (Host("h1", 5433), Host("::1", 5432), Host("/run/pg", 5434))
    assert "target_session_attrs" not in by_authority.url
    assert urlsplit(by_authority.url).netloc == "u:p@", "no Python takes a bracket behind another host"
    by_query = [
        database_url.read(f"postgresql://u@/db?host=/a,/b{port}").hosts for port in ("", "&port=1", "&port=1,2")
    ]
    assert [[host.port for host in hosts] for hosts in by_query] == [[5432, 5432], [1, 1], [1, 2]]
    assert database_url.read("postgresql://u@h/db").hosts == database_url.read("postgresql:///db?host=/a").hosts == ()


def _timeouts(*values: str) -> list[str]:
    return [f"?connect_timeout={value}" for value in values]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql+asyncpg://u:secret@h/db", "without the name of a driver"),
        ("mysql://u:secret@h/db", "postgresql://"),
        ("host=h dbname=db password=secret", "postgresql://"),
        ("postgresql://u:secret@h:0/db", "a port should be"),
        ("postgresql://u:secret@h:65536/db", "a port should be"),
        ("postgresql://u:secret@h:port/db", "a port should be"),
        ("postgresql://u:secret@h1:5432,h2:x/db", "a port should be"),
        ("postgresql://u:secret@/db?host=h&port=x", "a port should be"),
        ("postgresql://u:sec/ret@h/db", "write @ as %40"),
        ("postgresql://u:sec@ret@h/db", "write @ as %40"),
        ("postgresql://u:sec#ret@h/db", "write @ as %40"),
        ("postgresql://u:sec[ret@h/db", "write @ as %40"),
        ("postgresql://u:secret@::1/db", "in brackets"),
        ("postgresql://u:secret@h/db?sslmode", "name=value"),
        ("postgresql://u:secret@h/db?connect_timeout=soon", "connect_timeout='soon'"),
        ("postgresql://u:secret@h/db?keepalives_count=1000", "from 0 to 127"),
        ("postgresql://u:secret@h/db?channel_binding=require", "channel_binding='require' is not supported"),
        ("postgresql://u:secret@h/db?gssencmode=require", "not supported"),
        ("postgresql://u:secret@h/db?requirepeer=postgres", "not supported"),
        ("postgresql://u:secret@h/db?client_encoding=LATIN1", "not supported"),
        (
            "postgresql://u:secret@h1,h2/db?target_session_attrs=standby",
            "target_session_attrs='standby' is not supported",
        ),
        ("postgresql://u:secret@/db?host=h1,h2,h3&port=1,2", "3 hosts and 2 ports"),
    ],
)
def test_what_is_wrong_is_named_and_the_password_is_not_shown(url: str, says: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        database_url.read(url)
    assert says in str(refused.value)
    assert "sec" not in str(refused.value).replace("seconds", "")
