"""BGP daemons as Debian has them, each started with a configuration for one peer.

Each announces the routes of `own`, with the community ASN:7 and the large community ASN:1:2, and `extra` between
announce() and withdraw(). routes() gives the prefixes that it has from its peer, details() all that it knows of one.
With path_ids, set before start(), it takes path identifiers (RFC 7911).
"""

from __future__ import annotations

import ipaddress
import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from interop.world import US, Process, World


def is_v6(prefix: str) -> bool:
    return ":" in prefix


class Daemon:
    """One of them.

    asn, address: its own. number: which of the routers of the world it is, and so which prefixes it has.
    """

    name: ClassVar[str] = ""
    program: ClassVar[str] = ""
    package: ClassVar[str] = ""
    path_ids = False

    def __init__(self, world: World, number: int, asn: int) -> None:
        self.world = world
        self.number = number
        self.asn = asn
        self.address = f"10.9.0.{number + 2}"
        self.address6 = f"2001:db8:9::{number + 2}"
        self.own = (f"10.{10 + number}.1.0/24", f"10.{10 + number}.2.0/24", f"2001:db8:{10 + number}::/48")
        self.extra = f"10.{10 + number}.3.0/24"
        self.folder = world.folder / f"{self.name}-{number}"
        self.folder.mkdir()
        self.folder.chmod(0o777)

    @classmethod
    def installed(cls) -> bool:
        return shutil.which(cls.program) is not None

    def start(self, peer_asn: int, *, passive: bool, password: str = "") -> None:
        """Run it, with US as its peer. passive: it waits for the peer to connect."""
        self.peer_asn = peer_asn
        self.process = self.launch(passive, password)

    def launch(self, passive: bool, password: str) -> Process:
        raise NotImplementedError

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def announce(self) -> None:
        raise NotImplementedError

    def withdraw(self) -> None:
        raise NotImplementedError

    def routes(self) -> set[str]:
        raise NotImplementedError

    def details(self, prefix: str) -> str:
        raise NotImplementedError

    def ask(self, *command: str | Path) -> str:
        """What its command line tool says; nothing while it does not answer."""
        try:
            return self.world.run(*command)
        except subprocess.CalledProcessError:
            return ""

    def ask_json(self, *command: str | Path) -> Any:
        text = self.ask(*command).strip()
        try:
            return json.loads(text) if text else {}
        except ValueError:
            return {}


class Bird(Daemon):
    name = program = "bird"
    package = "bird2"

    def launch(self, passive: bool, password: str) -> Process:
        def static(name: str, prefixes: Iterable[str], state: str = "") -> str:
            return "".join(
                f"protocol static {name}{6 if is_v6(prefix) else 4}_{at} {{ {state} ipv{6 if is_v6(prefix) else 4}; "
                f"route {prefix} blackhole; }}\n"
                for at, prefix in enumerate(prefixes)
            )

        export = (
            "export filter { if source != RTS_STATIC then reject; "
            f"bgp_community.add(({self.asn & 0xFFFF},7)); bgp_large_community.add(({self.asn},1,2)); accept; }}; import all;"
        )
        ids = "add paths rx;" if self.path_ids else ""
        config = self.file(
            "bird.conf",
            f"""
            log "{self.world.folder}/bird-{self.number}.log" all;
            router id {self.address};
            protocol device {{}}
            {static("own", self.own)}
            {static("extra", [self.extra], "disabled;")}
            protocol bgp peer {{
                local {self.address} as {self.asn};
                neighbor {US} as {self.peer_asn};
                multihop;
                strict bind;
                {"passive;" if passive else ""}
                {f'password "{password}";' if password else ""}
                connect delay time 1; connect retry time 1; error wait time 1, 2;
                ipv4 {{ {ids} {export} }};
                ipv6 {{ {ids} next hop address {self.address6}; {export} }};
            }}
            """,
        )
        return self.world.start(self.name, "bird", "-f", "-c", config, "-s", self.folder / "ctl")

    def control(self, *words: str) -> str:
        return self.ask("birdc", "-s", self.folder / "ctl", *words)

    def announce(self) -> None:
        self.control("enable", "extra4_0")

    def withdraw(self) -> None:
        self.control("disable", "extra4_0")

    def routes(self) -> set[str]:
        lines = self.control("show", "route", "protocol", "peer").splitlines()
        return {line.split()[0] for line in lines if line[:1].isdigit() and "/" in line.split()[0]}

    def details(self, prefix: str) -> str:
        return self.control("show", "route", prefix, "all")


class GoBgp(Daemon):
    name = "gobgp"
    program = package = "gobgpd"

    def launch(self, passive: bool, password: str) -> Process:
        families = "".join(
            f"[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = '{name}-unicast'\n"
            f"[neighbors.afi-safis.add-paths.config]\nreceive = {'true' if self.path_ids else 'false'}\n"
            for name in ("ipv4", "ipv6")
        )
        config = self.file(
            "gobgpd.conf",
            f"""
[global.config]
as = {self.asn}
router-id = '{self.address}'
local-address-list = ['{self.address}']
[[neighbors]]
[neighbors.config]
neighbor-address = '{US}'
peer-as = {self.peer_asn}
auth-password = '{password}'
[neighbors.timers.config]
connect-retry = 1
idle-hold-time-after-reset = 1
[neighbors.transport.config]
local-address = '{self.address}'
passive-mode = {"true" if passive else "false"}
[neighbors.ebgp-multihop.config]
enabled = true
multihop-ttl = 5
{families}
""",
        )
        self.api = f"{self.address}:50051"
        process = self.world.start(self.name, "gobgpd", "-f", config, "--api-hosts", self.api, "--pprof-disable")
        while not self.control("global"):
            assert process.popen.poll() is None, process.log()
        for prefix in self.own:
            self._add(prefix)
        return process

    def control(self, *words: str) -> str:
        return self.ask("gobgp", "-u", self.address, "-p", "50051", *words)

    def _add(self, prefix: str) -> None:
        family, hop = ("ipv6", self.address6) if is_v6(prefix) else ("ipv4", self.address)
        communities = ["community", f"{self.asn & 0xFFFF}:7", "large-community", f"{self.asn}:1:2"]
        self.control("global", "rib", "add", "-a", family, prefix, "nexthop", hop, *communities)

    def announce(self) -> None:
        self._add(self.extra)

    def withdraw(self) -> None:
        self.control("global", "rib", "del", "-a", "ipv4", self.extra)

    def routes(self) -> set[str]:
        found: set[str] = set()
        for family in ("ipv4", "ipv6"):
            text = self.control("neighbor", US, "adj-in", "-a", family, "-j").strip()
            found |= set(json.loads(text)) if text.startswith("{") else set()
        return found

    def details(self, prefix: str) -> str:
        return self.control("neighbor", US, "adj-in", prefix, "-j")


class OpenBgpd(Daemon):
    name = "openbgpd"
    program = "/usr/sbin/bgpd"
    package = "openbgpd"

    def launch(self, passive: bool, password: str) -> Process:
        communities = f"set {{ community {self.asn & 0xFFFF}:7 large-community {self.asn}:1:2 }}"
        networks = "\n".join(f"network {prefix} {communities}" for prefix in self.own)
        self.socket = self.folder / "bgpd.sock"
        config = self.file(
            "bgpd.conf",
            f"""
AS {self.asn}
router-id {self.address}
socket "{self.socket}"
listen on {self.address}
fib-update no
connect-retry 1
{networks}
neighbor {US} {{
    remote-as {self.peer_asn}
    local-address {self.address}
    local-address {self.address6}
    multihop 5
    {"passive" if passive else ""}
    {f'tcp md5sig password "{password}"' if password else ""}
    announce IPv4 unicast
    announce IPv6 unicast
    {"announce add-path recv yes" if self.path_ids else ""}
}}
allow from any
allow to any
""",
        )
        Path("/run/openbgpd").mkdir(exist_ok=True)  # where it locks itself in
        return self.world.start(self.name, "/usr/sbin/bgpd", "-d", "-v", "-f", config)

    def control(self, *words: str) -> Any:
        return self.ask_json("bgpctl", "-j", "-s", self.socket, *words)

    def announce(self) -> None:
        self.ask("bgpctl", "-s", self.socket, "network", "add", self.extra)

    def withdraw(self) -> None:
        self.ask("bgpctl", "-s", self.socket, "network", "delete", self.extra)

    def routes(self) -> set[str]:
        return {entry["prefix"] for entry in self.control("show", "rib", "in", "neighbor", US).get("rib", ())}

    def details(self, prefix: str) -> str:
        return json.dumps(self.control("show", "rib", "in", "detail", prefix))


class Frr(Daemon):
    name = "frr"
    program = "/usr/lib/frr/bgpd"
    package = "frr"

    def launch(self, passive: bool, password: str) -> Process:
        lines = [f"neighbor {US} {line}" for line in ("timers connect 1", "ebgp-multihop", f"update-source {self.address}")]
        lines += [f"neighbor {US} passive"] if passive else []
        lines += [f"neighbor {US} password {password}"] if password else []
        networks = {
            family: "\n".join(f"  network {prefix} route-map mark" for prefix in self.own if is_v6(prefix) == (family == 6))
            for family in (4, 6)
        }
        between = "\n ".join(lines)
        config = self.file(
            "bgpd.conf",
            f"""
log file {self.world.folder}/frr-{self.number}.log
router bgp {self.asn}
 bgp router-id {self.address}
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor {US} remote-as {self.peer_asn}
 {between}
 address-family ipv4 unicast
{networks[4]}
  neighbor {US} activate
 exit-address-family
 address-family ipv6 unicast
{networks[6]}
  neighbor {US} activate
  neighbor {US} route-map hop out
 exit-address-family
route-map hop permit 10
 set ipv6 next-hop global {self.address6}
route-map mark permit 10
 set community {self.asn & 0xFFFF}:7
 set large-community {self.asn}:1:2
""",
        )
        options = ["-f", config, "-S", "-Z", "-l", self.address, "-P", "0", "-i", self.folder / "pid"]
        return self.world.start(self.name, self.program, *options, "--vty_socket", self.folder)

    def control(self, *commands: str) -> str:
        words = [word for command in commands for word in ("-c", command)]
        return self.ask("vtysh", "--vty_socket", self.folder, *words)

    def _network(self, no: str) -> None:
        self.control("configure", f"router bgp {self.asn}", "address-family ipv4 unicast", f"{no}network {self.extra}")

    def announce(self) -> None:
        self._network("")

    def withdraw(self) -> None:
        self._network("no ")

    def routes(self) -> set[str]:
        found: set[str] = set()
        for family in ("ipv4", "ipv6"):
            text = self.control(f"show bgp {family} unicast neighbors {US} routes json")
            found |= set(json.loads(text).get("routes", ())) if text.strip().startswith("{") else set()
        return found

    def details(self, prefix: str) -> str:
        return self.control(f"show bgp {'ipv6' if is_v6(prefix) else 'ipv4'} unicast {prefix}")


class ExaBgp(Daemon):
    name = program = package = "exabgp"

    def launch(self, passive: bool, password: str) -> Process:
        self._commands = self.file("commands", "")
        self._received = self.folder / "received"
        script = self.file("io.sh", f"#!/bin/sh\ntail -f {self._commands} &\nexec cat > {self._received}\n")
        script.chmod(0o755)
        routes = "\n".join(f"{self._route(prefix)};" for prefix in self.own)
        config = self.file(
            "exabgp.conf",
            f"""
process io {{ run {script}; encoder json; }}
neighbor {US} {{
    router-id {self.address};
    local-address {self.address};
    local-as {self.asn};
    peer-as {self.peer_asn};
    {"passive true;" if passive else ""}
    {f'md5-password "{password}";' if password else ""}
    family {{ ipv4 unicast; ipv6 unicast; }}
    capability {{ add-path {"receive" if self.path_ids else "disable"}; }}
    api {{ processes [ io ]; receive {{ parsed; update; }} }}
    static {{ {routes} }}
}}
""",
        )
        env = {
            "exabgp.daemon.user": "root",
            "exabgp.api.cli": "false",
            "exabgp.tcp.bind": self.address if passive else "",
            "exabgp.tcp.port": "179",
            "exabgp.log.level": "INFO",
        }
        return self.world.start(self.name, "exabgp", config, **{key: value for key, value in env.items() if value})

    def _route(self, prefix: str) -> str:
        hop = self.address6 if is_v6(prefix) else self.address
        communities = f"community [{self.asn & 0xFFFF}:7] large-community [{self.asn}:1:2]"
        return f"route {prefix} next-hop {hop} {communities}"

    def _say(self, text: str) -> None:
        with self._commands.open("a") as file:
            file.write(text + "\n")

    def announce(self) -> None:
        self._say(f"announce {self._route(self.extra)}")

    def withdraw(self) -> None:
        self._say(f"withdraw {self._route(self.extra)}")

    def routes(self) -> set[str]:
        found: set[str] = set()
        for line in self._received.read_text().splitlines() if self._received.exists() else ():
            update = json.loads(line).get("neighbor", {}).get("message", {}).get("update", {})
            for hops in update.get("announce", {}).values():
                for prefixes in hops.values():
                    found |= {entry["nlri"] for entry in prefixes if "nlri" in entry}
            for prefixes in update.get("withdraw", {}).values():
                found -= {entry["nlri"] for entry in prefixes}
        return {str(ipaddress.ip_network(prefix)) for prefix in found}

    def details(self, prefix: str) -> str:
        lines = self._received.read_text().splitlines()
        return "\n".join(line for line in lines if prefix in line)


DAEMONS: tuple[type[Daemon], ...] = (Bird, GoBgp, OpenBgpd, Frr, ExaBgp)
