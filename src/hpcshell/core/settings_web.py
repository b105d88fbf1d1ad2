"""The sections of the configuration about the web server and the experiment tracker."""

from __future__ import annotations

from typing import Annotated

from hpcshell.core.settings_section import Section, key


class WebSettings(Section, frozen=True, kw_only=True):
    """[web]: what `hpc web` serves, and to whom. Never taken from a project's file."""

    host: Annotated[
        str, key("text", "the address it listens on; others than loopback need tokens over TLS")
    ] = "127.0.0.1"
    port: Annotated[int, key("count", "its port; 0: a free one", least=0, most=65535)] = 8470
    socket: Annotated[
        str, key("text", "the path of a Unix socket to listen on instead of a port; empty: none")
    ] = ""
    hosts: Annotated[
        tuple[str, ...],
        key("words", "names (`tracker.example.org`, or with `:port`) that it is called by besides"),
    ] = ()
    proxies: Annotated[
        tuple[str, ...],
        key(
            "words",
            "reverse proxies whose word on who is calling is taken: addresses (one of this machine"
            " needs `proxy_secret`), or `uid:www-data` for one that comes over the Unix socket",
        ),
    ] = ()
    proxy_secret: Annotated[
        str,
        key(
            "text",
            "the path of a file, of mode 0600, with a secret that proxies known by their address"
            " have to send in X-Hpc-Proxy-Secret; empty: none",
        ),
    ] = ""
    proxy_header: Annotated[
        str, key("text", "the header in which such a proxy says who is calling")
    ] = "X-Forwarded-User"
    operators: Annotated[
        tuple[str, ...], key("words", "users of such a proxy who may change others' jobs and runs")
    ] = ()
    admins: Annotated[tuple[str, ...], key("words", "users of such a proxy who may do all")] = ()
    body_limit: Annotated[int, key("size", "largest body of a request, unpacked")] = 32 << 20
    upload_limit: Annotated[int, key("size", "largest artifact that may be uploaded")] = 10 << 30
    request_timeout: Annotated[
        float, key("duration", "how long the head or the body of a request may take to arrive")
    ] = 30.0
    rate: Annotated[int, key("count", "requests of one caller per second, on average")] = 2000


class TrackSettings(Section, frozen=True, kw_only=True):
    """[track]: where experiments and runs are kept. Never taken from a project's file."""

    url: Annotated[
        str,
        key(
            "text",
            "the database: `postgresql://user@host/name` or `sqlite:////path`; empty: SQLite in the"
            " state directory",
        ),
    ] = ""
    artifacts: Annotated[
        str, key("text", "directory of what is uploaded; empty: in the state directory")
    ] = ""
    spools: Annotated[
        tuple[str, ...],
        key("words", "directories (on shared storage) whose spool files are taken in"),
    ] = ()
    roots: Annotated[
        tuple[str, ...],
        key("words", "directories (on shared storage) beneath which artifacts may be read"),
    ] = ()
    heartbeat: Annotated[float, key("duration", "how often a run says that it lives")] = 30.0
    lost_after: Annotated[
        float, key("duration", "a run that has said nothing for so long is lost")
    ] = 300.0
    keep_deleted: Annotated[
        float, key("duration", "how long what was deleted can be restored", zero=True)
    ] = 30 * 86400.0
    cpu_hour: Annotated[float, key("number", "price of a CPU for an hour")] = 0.0
    gpu_hour: Annotated[float, key("number", "price of a GPU for an hour")] = 0.0
    webhook_skew: Annotated[float, key("duration", "how far the clock of an epilog may be off")] = (
        300.0
    )
