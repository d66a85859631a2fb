"""BGP daemons as Debian has them, each started with a configuration for one peer.

Each announces the routes of `own`, and those of `extra` between announce() and withdraw(), IPv4 and IPv6, with a
community and a large community. `rib` is what it has from its peer, read by its own tools.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from interop.routes import Route, as_path, as_set, in_order
from interop.world import US, Process, World

FAMILIES = ("IPV4/UNICAST", "IPV6/UNICAST")


def family(prefix: str) -> str:
    return "ipv6" if ":" in prefix else "ipv4"


@dataclass(frozen=True)
class Peering:
    """How a daemon has its session. asn, peer: those of the peer. passive: it waits for the peer to connect.

    ttl_security: it sends a TTL of 255, and takes nothing less. addpath: path ids both ways, and two paths for `double`.
    """

    asn: int
    passive: bool
    local: str
    peer: str
    password: str = ""
    ttl_security: bool = False
    addpath: bool = False


class Daemon(ABC):
    """One of them.

    number: which of the routers of the world it is, and so which addresses and prefixes it has. asn: its own.
    double: a prefix that it has two paths for, with `addpath`; the second one has the community ASN:8 instead of ASN:7.
    """

    name: ClassVar[str] = ""
    program: ClassVar[str] = ""
    package: ClassVar[str] = ""
    two_paths: ClassVar[bool] = True  # whether it can have two paths of its own to a prefix
    accepts_md5: ClassVar[bool] = True  # whether it has its key also for connections that it accepts
    answers_ttl: ClassVar[bool] = True  # whether its first answer to who connects has a TTL of 255, too

    def __init__(self, world: World, number: int, asn: int) -> None:
        self.world = world
        self.number = number
        self.router = world.routers[number]
        self.asn = asn
        self.address, self.address6 = self.router.address, self.router.address6
        net = 10 + number
        self.own: tuple[str, ...] = (f"10.{net}.1.0/24", f"10.{net}.2.0/24", f"2001:db8:{net}::/48")
        self.extra = (f"10.{net}.3.0/24", f"2001:db8:{net + 10}::/48")
        self.double = f"10.{net}.0.0/16"
        self.low_asn = asn & 0xFFFF  # as much of it as a community holds
        self.folder = world.folder / f"{self.name}-{number}"
        self.folder.mkdir()
        self.folder.chmod(0o777)

    @classmethod
    def installed(cls) -> bool:
        return shutil.which(cls.program) is not None

    def start(self, peer_asn: int, *, passive: bool, peer: str = US, **more: Any) -> None:
        """Run it; `more` as in Peering."""
        local = self.address6 if ":" in peer else self.address
        self.peering = Peering(peer_asn, passive, local, peer, **more)
        self.process = self.launch(self.peering)

    @abstractmethod
    def launch(self, peering: Peering) -> Process:
        """Run it with a configuration for one peer."""

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def hop(self, prefix: str) -> str:
        return self.address6 if ":" in prefix else self.address

    def route(self, prefix: str, mark: int = 7) -> Route:
        """One that it announces, as its peer should have it."""
        communities = (f"{self.low_asn}:{mark}",)
        return Route(prefix, str(self.asn), self.hop(prefix), communities, (f"{self.asn}:1:2",))

    def announces(self, *, extra: bool = False) -> set[Route]:
        """What its peer should have from it."""
        routes = {self.route(prefix) for prefix in self.own + (self.extra if extra else ())}
        if self.peering.addpath:
            routes.add(self.route(self.double))
            if self.two_paths:
                routes.add(self.route(self.double, 8))
        return routes

    @abstractmethod
    def announce(self) -> None:
        """Announce `extra`."""

    @abstractmethod
    def withdraw(self) -> None:
        """Withdraw it."""

    @property
    @abstractmethod
    def rib(self) -> set[Route]:
        """The routes that it has from its peer."""

    @abstractmethod
    def heard(self) -> set[str]:
        """Of AS4, ROUTE_REFRESH and FAMILIES those that it says its peer has offered."""

    def ask(self, *command: str | Path) -> str:
        """What its command line tool says; nothing while it does not answer."""
        try:
            return self.world.run(*command, at=self.router)
        except subprocess.CalledProcessError:
            return ""

    def ask_json(self, *command: str | Path) -> Any:
        try:
            return json.loads(self.ask(*command).strip() or "{}")
        except ValueError:
            return {}


class Bird(Daemon):
    name = program = "bird"
    package = "bird2"

    def launch(self, peering: Peering) -> Process:
        def static(name: str, prefixes: tuple[str, ...], state: str = "") -> str:
            return "".join(
                f"protocol static {name}{at} {{ {state} {family(prefix)}; route {prefix} blackhole; }}\n"
                for at, prefix in enumerate(prefixes)
            )

        double = (self.double,) if peering.addpath else ()
        channel = f"""
            {"add paths on;" if peering.addpath else ""}
            import all;
            export filter {{
                int mark = 7;
                if source != RTS_STATIC then reject;
                if proto = "second0" then mark = 8;
                bgp_community.add(({self.low_asn}, mark));
                bgp_large_community.add(({self.asn}, 1, 2));
                accept;
            }};
        """
        config = self.file(
            "bird.conf",
            f"""
            log "{self.world.folder}/bird-{self.number}.log" all;
            router id {self.address};
            protocol device {{}}
            {static("own", self.own)}
            {static("first", double)}
            {static("second", double)}
            {static("extra", self.extra, "disabled;")}
            protocol bgp peer {{
                local {peering.local} as {self.asn};
                neighbor {peering.peer} as {peering.asn};
                {"multihop 1; ttl security on;" if peering.ttl_security else "multihop;"}
                strict bind;
                {"passive;" if peering.passive else ""}
                {f'password "{peering.password}";' if peering.password else ""}
                connect delay time 1; connect retry time 1; error wait time 1, 2;
                ipv4 {{ next hop address {self.address}; {channel} }};
                ipv6 {{ next hop address {self.address6}; {channel} }};
            }}
            """,
        )
        return self.world.start(self.name, "bird", "-f", "-c", config, "-s", self.folder / "ctl", at=self.router)

    def control(self, *words: str) -> str:
        return self.ask("birdc", "-s", self.folder / "ctl", *words)

    def announce(self) -> None:
        self.control("enable", '"extra*"')

    def withdraw(self) -> None:
        self.control("disable", '"extra*"')

    @property
    def rib(self) -> set[Route]:
        routes: set[Route] = set()
        prefix = ""
        found: dict[str, str] = {}

        def tuples(name: str) -> tuple[str, ...]:
            return in_order(re.findall(r"\d+", numbers) for numbers in re.findall(r"\([^)]*\)", found.get(name, "")))

        for line in [*self.control("show", "route", "all", "protocol", "peer").splitlines(), ""]:
            if line.startswith("\t"):
                name, _, value = line.strip().partition(": ")
                found[name] = value
                continue
            if found:
                path, hop = as_path(found["BGP.as_path"]), found["BGP.next_hop"].split()[0]
                routes.add(Route(prefix, path, hop, tuples("BGP.community"), tuples("BGP.large_community")))
                found.clear()
            if "/" in (word := line.partition(" ")[0]):
                prefix = word
        return routes

    def heard(self) -> set[str]:
        text = self.control("show", "protocols", "all", "peer").partition("Neighbor capabilities")[2].partition("Session:")[0]
        names = {"AF announced: ipv4 ipv6": FAMILIES, "4-octet AS numbers": ("AS4",), "Route refresh": ("ROUTE_REFRESH",)}
        return {name for words, found in names.items() if words in text for name in found}


class GoBgp(Daemon):
    name = "gobgp"
    program = package = "gobgpd"
    families: ClassVar[tuple[str, ...]] = ("ipv4-unicast", "ipv6-unicast")

    def launch(self, peering: Peering) -> Process:
        addpath = "[neighbors.afi-safis.add-paths.config]\nreceive = true\nsend-max = 8\n" if peering.addpath else ""
        families = "".join(
            f"[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = '{name}'\n{addpath}" for name in self.families
        )
        security = "[neighbors.ttl-security.config]\nenabled = true\nttl-min = 255\n"
        multihop = "[neighbors.ebgp-multihop.config]\nenabled = true\nmultihop-ttl = 5\n"
        config = self.file(
            "gobgpd.conf",
            f"""
[global.config]
as = {self.asn}
router-id = '{self.address}'
local-address-list = ['{peering.local}']
[[neighbors]]
[neighbors.config]
neighbor-address = '{peering.peer}'
peer-as = {peering.asn}
auth-password = '{peering.password}'
[neighbors.timers.config]
connect-retry = 1
idle-hold-time-after-reset = 1
[neighbors.transport.config]
local-address = '{peering.local}'
passive-mode = {str(peering.passive).lower()}
{security if peering.ttl_security else multihop}
{families}
""",
        )
        api = f"{self.address}:50051"
        words = ["gobgpd", "-f", str(config), "--api-hosts", api, "--pprof-disable"]
        process = self.world.start(self.name, *words, at=self.router)
        while not self.control("global"):
            assert process.popen.poll() is None, process.log()
        for prefix in self.own:
            self._add(prefix)
        if peering.addpath:
            self._add(self.double, "identifier", "1")
            self._add(self.double, "identifier", "2", mark=8)
        return process

    def control(self, *words: str) -> str:
        return self.ask("gobgp", "-u", self.address, "-p", "50051", *words)

    def _add(self, prefix: str, *more: str, mark: int = 7) -> None:
        communities = ["community", f"{self.low_asn}:{mark}", "large-community", f"{self.asn}:1:2"]
        words = [prefix, *more, "nexthop", self.hop(prefix), *communities]
        self.control("global", "rib", "add", "-a", family(prefix), *words)

    def announce(self) -> None:
        for prefix in self.extra:
            self._add(prefix)

    def withdraw(self) -> None:
        for prefix in self.extra:
            self.control("global", "rib", "del", "-a", family(prefix), prefix)

    @property
    def rib(self) -> set[Route]:
        found: set[Route] = set()
        for name in ("ipv4", "ipv6"):
            text = self.control("neighbor", self.peering.peer, "adj-in", "-a", name, "-j").strip()
            for prefix, paths in json.loads(text).items() if text.startswith("{") else ():
                found |= {self._route(prefix, {attr["type"]: attr for attr in path["attrs"]}) for path in paths}
        return found

    def _route(self, prefix: str, attrs: dict[int, Any]) -> Route:
        segments = attrs[2]["as_paths"] if 2 in attrs else ()
        path = [as_set(s["asns"]) if s["segment_type"] == 1 else " ".join(map(str, s["asns"])) for s in segments]
        communities = in_order((number >> 16, number & 0xFFFF) for number in attrs.get(8, {}).get("communities", ()))
        large = in_order(entry.values() for entry in attrs.get(32, {}).get("value", ()))
        return Route(prefix, " ".join(path), (attrs.get(14) or attrs[3])["nexthop"], communities, large)

    def heard(self) -> set[str]:
        state = self.ask_json("gobgp", "-u", self.address, "neighbor", self.peering.peer, "-j").get("state", {})
        names = {
            "FourOctetASN": "AS4",
            "RouteRefresh": "ROUTE_REFRESH",
            "MultiProtocol CgQIARAB": "IPV4/UNICAST",  # as protocol buffers have AFI and SAFI
            "MultiProtocol CgQIAhAB": "IPV6/UNICAST",
        }
        found = set()
        for entry in state.get("remote_cap", ()):
            name = entry["type_url"].rpartition(".")[2].removesuffix("Capability")
            found |= {names.get(name), names.get(f"{name} {entry.get('value', '')}")}
        return {name for name in found if name}


class OpenBgpd(Daemon):
    name = "openbgpd"
    program = "/usr/sbin/bgpd"
    package = "openbgpd"
    two_paths = False  # a network statement is one path
    accepts_md5 = False  # that of OpenBSD has; on Linux the kernel counts TCPMD5Unexpected

    def launch(self, peering: Peering) -> Process:
        communities = f"community {self.low_asn}:7 large-community {self.asn}:1:2"
        prefixes = self.own + ((self.double,) if peering.addpath else ())
        networks = "\n".join(f"network {prefix} set {{ {communities} nexthop {self.hop(prefix)} }}" for prefix in prefixes)
        self.socket = self.folder / "bgpd.sock"
        config = self.file(
            "bgpd.conf",
            f"""
AS {self.asn}
router-id {self.address}
socket "{self.socket}"
listen on {peering.local}
fib-update no
connect-retry 1
{networks}
neighbor {peering.peer} {{
    remote-as {peering.asn}
    local-address {self.address}
    local-address {self.address6}
    {"ttl-security yes" if peering.ttl_security else "multihop 5"}
    {"passive" if peering.passive else ""}
    enforce neighbor-as no
    {f'tcp md5sig password "{peering.password}"' if peering.password else ""}
    announce IPv4 unicast
    announce IPv6 unicast
    {"announce add-path recv yes" if peering.addpath else ""}
    {"announce add-path send all" if peering.addpath else ""}
}}
allow from any
allow to any
match to any set nexthop no-modify
""",
        )
        Path("/run/openbgpd").mkdir(exist_ok=True)  # where it locks itself in
        return self.world.start(self.name, "/usr/sbin/bgpd", "-d", "-v", "-f", config, at=self.router)

    def control(self, *words: str) -> Any:
        return self.ask_json("bgpctl", "-j", "-s", self.socket, *words)

    def announce(self) -> None:
        for prefix in self.extra:
            communities = ["community", f"{self.low_asn}:7", "large-community", f"{self.asn}:1:2", "nexthop", self.hop(prefix)]
            self.ask("bgpctl", "-s", self.socket, "network", "add", prefix, *communities)

    def withdraw(self) -> None:
        for prefix in self.extra:
            self.ask("bgpctl", "-s", self.socket, "network", "delete", prefix)

    @property
    def rib(self) -> set[Route]:
        return {
            Route(
                entry["prefix"],
                as_path(entry["aspath"]),
                entry["exit_nexthop"],
                tuple(sorted(entry.get("communities", ()))),
                tuple(sorted(entry.get("large_communities", ()))),
            )
            for entry in self.control("show", "rib", "detail", "in", "neighbor", self.peering.peer).get("rib", ())
        }

    def heard(self) -> set[str]:
        (neighbor,) = self.control("show", "neighbor", self.peering.peer)["neighbors"]
        found = neighbor["session"]["remote"]["capabilities"]
        names = {"AS4": found["as4byte"], "ROUTE_REFRESH": found["refresh"]}
        families = {name.upper().replace(" ", "/") for name in found["multiprotocol"]}
        return {name for name, there in names.items() if there} | families & set(FAMILIES)


class Frr(Daemon):
    name = "frr"
    program = "/usr/lib/frr/bgpd"
    package = "frr"

    def launch(self, peering: Peering) -> Process:
        peer = peering.peer
        lines = [f"neighbor {peer} {line}" for line in ("timers connect 1", f"update-source {peering.local}")]
        # Without zebra it does not know what it is connected to.
        lines += [f"neighbor {peer} ttl-security hops 1" if peering.ttl_security else f"neighbor {peer} ebgp-multihop"]
        lines += [f"neighbor {peer} passive"] if peering.passive else []
        lines += [f"neighbor {peer} password {peering.password}"] if peering.password else []
        networks = {
            name: [f"network {prefix} route-map mark" for prefix in self.own if family(prefix) == name]
            for name in ("ipv4", "ipv6")
        }
        if peering.addpath:
            # An aggregate, and a network of the same prefix.
            networks["ipv4"] += [f"network {self.double} route-map mark", f"aggregate-address {self.double} route-map second"]
        addpath = f"neighbor {peer} addpath-tx-all-paths" if peering.addpath else f"neighbor {peer} disable-addpath-rx"
        families = "".join(
            f"""
 address-family {name} unicast
  {f"{chr(10)}  ".join(networks[name])}
  neighbor {peer} activate
  neighbor {peer} route-map hop out
  {addpath}
 exit-address-family"""
            for name in ("ipv4", "ipv6")
        )
        config = self.file(
            "bgpd.conf",
            f"""
log file {self.world.folder}/frr-{self.number}.log
router bgp {self.asn}
 bgp router-id {self.address}
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor {peer} remote-as {peering.asn}
 {f"{chr(10)} ".join(lines)}
{families}
bgp as-path access-list own permit ^$
route-map hop permit 10
 match as-path own
 set ip next-hop {self.address}
 set ipv6 next-hop global {self.address6}
route-map mark permit 10
 set community {self.low_asn}:7
 set large-community {self.asn}:1:2
route-map second permit 10
 set community {self.low_asn}:8
 set large-community {self.asn}:1:2
""",
        )
        options = ["-f", config, "-S", "-Z", "-l", peering.local, "-P", "0", "-i", self.folder / "pid"]
        return self.world.start(self.name, self.program, *options, "--vty_socket", self.folder, at=self.router)

    def control(self, *commands: str) -> str:
        words = [word for command in commands for word in ("-c", command)]
        return self.ask("vtysh", "--vty_socket", self.folder, *words)

    def _networks(self, no: str) -> None:
        for prefix in self.extra:
            place = ["configure", f"router bgp {self.asn}", f"address-family {family(prefix)} unicast"]
            self.control(*place, f"{no}network {prefix} route-map mark")

    def announce(self) -> None:
        self._networks("")

    def withdraw(self) -> None:
        self._networks("no ")

    @property
    def rib(self) -> set[Route]:
        found: set[Route] = set()
        for name in ("ipv4", "ipv6"):
            text = self.control(f"show bgp {name} unicast json detail").strip()
            for prefix, paths in json.loads(text)["routes"].items() if text.startswith("{") else ():
                found |= {self._route(prefix, path) for path in paths if path.get("peer", {}).get("peerId") == self.peering.peer}
        return found

    def _route(self, prefix: str, path: dict[str, Any]) -> Route:
        (hop,) = (entry["ip"] for entry in path["nexthops"] if entry.get("scope") != "link-local")
        communities = (tuple(sorted(path.get(name, {}).get("list", ()))) for name in ("community", "largeCommunity"))
        return Route(prefix, as_path(path["aspath"]["string"]), hop, *communities)

    def heard(self) -> set[str]:
        text = self.control(f"show bgp neighbors {self.peering.peer} json").strip()
        found = json.loads(text)[self.peering.peer]["neighborCapabilities"]
        names = {"4byteAs": "AS4", "routeRefresh": "ROUTE_REFRESH"}
        families = {"ipv4Unicast": "IPV4/UNICAST", "ipv6Unicast": "IPV6/UNICAST"}
        offered = {name for key, name in names.items() if "eceived" in str(found.get(key))}
        return offered | {name for key, name in families.items() if "eceived" in str(found["multiprotocolExtensions"].get(key))}


class ExaBgp(Daemon):
    name = program = package = "exabgp"
    answers_ttl = False

    def launch(self, peering: Peering) -> Process:
        self._commands = self.file("commands", "")
        self._received = self.folder / "received"
        script = self.file("io.sh", f"#!/bin/sh\ntail -f {self._commands} &\nexec cat > {self._received}\n")
        script.chmod(0o755)
        routes = [self._route(prefix) for prefix in self.own]
        if peering.addpath:
            routes += [f"{self._route(self.double, mark)} path-information 0.0.0.{mark}" for mark in (7, 8)]
        config = self.file(
            "exabgp.conf",
            f"""
process io {{ run {script}; encoder json; }}
neighbor {peering.peer} {{
    router-id {self.address};
    local-address {peering.local};
    local-as {self.asn};
    peer-as {peering.asn};
    {"passive true;" if peering.passive else ""}
    {f'md5-password "{peering.password}";' if peering.password else ""}
    {"outgoing-ttl 255; incoming-ttl 255;" if peering.ttl_security else ""}
    capability {{ route-refresh enable; {"add-path send/receive;" if peering.addpath else ""} }}
    family {{ ipv4 unicast; ipv6 unicast; }}
    {"add-path { ipv4 unicast; ipv6 unicast; }" if peering.addpath else ""}
    api {{ processes [ io ]; receive {{ parsed; open; update; }} }}
    static {{ {" ".join(f"{route};" for route in routes)} }}
}}
""",
        )
        env = {
            "exabgp.daemon.user": "root",
            "exabgp.api.cli": "false",
            "exabgp.tcp.bind": peering.local if peering.passive else "",
            "exabgp.tcp.port": "179",
            "exabgp.log.level": "INFO",
        }
        env = {key: value for key, value in env.items() if value}
        return self.world.start(self.name, "exabgp", config, at=self.router, **env)

    def _route(self, prefix: str, mark: int = 7) -> str:
        communities = f"community [{self.low_asn}:{mark}] large-community [{self.asn}:1:2]"
        return f"route {prefix} next-hop {self.hop(prefix)} {communities}"

    def _say(self, verb: str) -> None:
        with self._commands.open("a") as file:
            file.writelines(f"{verb} {self._route(prefix)}\n" for prefix in self.extra)

    def announce(self) -> None:
        self._say("announce")

    def withdraw(self) -> None:
        self._say("withdraw")

    def _entries(self, kind: str) -> list[Any]:
        text = self._received.read_text() if self._received.exists() else ""
        lines = [json.loads(line)["neighbor"] for line in text.splitlines() if line.startswith("{") and line.endswith("}")]
        found = [line.get(kind, line.get("message", {}).get(kind)) for line in lines]
        return [entry for entry in found if entry]

    @property
    def rib(self) -> set[Route]:
        found: dict[tuple[str, str], Route] = {}
        for update in self._entries("update"):
            attrs = update.get("attribute", {})
            path = " ".join(map(str, attrs.get("as-path", ())))
            communities, large = (in_order(attrs.get(name, ())) for name in ("community", "large-community"))
            for prefixes in update.get("withdraw", {}).values():
                for entry in prefixes:
                    found.pop((entry["nlri"], entry.get("path-information", "")), None)
            for hops in update.get("announce", {}).values():
                for hop, prefixes in hops.items():
                    for entry in prefixes:
                        if "nlri" in entry:  # else the end of the RIB
                            key = entry["nlri"], entry.get("path-information", "")
                            found[key] = Route(key[0], path, hop, communities, large)
        return set(found.values())

    def heard(self) -> set[str]:
        offered = self._entries("open")[-1]["capabilities"]
        names = {"65": "AS4", "2": "ROUTE_REFRESH"}
        families = {name.upper() for name in offered["1"]["families"]}
        return {names[code] for code in names if code in offered} | families & set(FAMILIES)


DAEMONS: tuple[type[Daemon], ...] = (Bird, GoBgp, OpenBgpd, Frr, ExaBgp)
