"""The grammar of filters, and the values of each attribute.

    expr := term (('&&' | '||') term)*
    term := ['!'] ( '(' expr ')' | attribute ['[' index ']'] [operator value] )

`&&` binds closer than `||`. In front of a comparison, `!` negates its operator, as `!=` does: no comparison matches a
message without the attribute. In front of parentheses it is plain negation.
"""

from __future__ import annotations

from bgpipe._attributes import (
    attribute_code,
    pack_address,
    pack_community,
    pack_ext_community,
    pack_large_community,
    parse_family,
)
from bgpipe.errors import FieldError, FilterError, hint
from bgpipe.filters.lexer import Lexer, quote
from bgpipe.filters.regex import Pattern, compile_pattern
from bgpipe.filters.tree import And, Node, Not, Or, Prefix, PrefixFile, Test
from bgpipe.names import AFIS, ATTRIBUTES, MESSAGE_TYPES, SAFIS, WELL_KNOWN_COMMUNITIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 100  # parentheses in parentheses
MAX_WARNINGS = 10
MAX_SHOWN = 400  # characters of a filter that a warning repeats
MAX_INSTRUCTIONS = 1_000_000  # of all regular expressions: some 30 MiB
MAX_32 = 0xFFFFFFFF

EQUAL = ("", "==", "!=", "in")
ORDER = ("<", "<=", ">", ">=")
LIKE = ("~", "!~")
OPPOSITE = {"==": "!=", "!=": "==", "~": "!~", "!~": "~"}


class Kind:
    """What an attribute takes.

    operators: those that make sense. read: word, whether it was quoted -> value; FieldError. like: the same behind ~.
    index: "" none, "*" that alone, "n" numbers and *, "text" any, "path" any, and needed.
    """

    __slots__ = ("index", "like", "operators", "read")

    def __init__(
        self,
        operators: tuple[str, ...],
        read: Callable[[str, bool], object],
        like: Callable[[str, bool], object] | None = None,
        index: str = "",
    ) -> None:
        self.operators = operators
        self.read = read
        self.like = like or read
        self.index = index


def _wrong(word: str, what: str) -> FieldError:
    return FieldError(f"{quote(word)}, expected {what}")


# ---- values ---------------------------------------------------------------------------------------------------------
def _integer(what: str, maximum: int) -> Callable[[str, bool], int]:
    def read(word: str, quoted: bool) -> int:
        value = _as_integer(word)
        if value is None or not 0 <= value <= maximum:
            raise _wrong(word, f"{what}, 0 to {maximum}")
        return value

    return read


def _as_integer(word: str) -> int | None:
    digits = word[1:] if word[:1] in ("-", "+") else word
    if not digits.isascii() or "_" in digits or len(digits) > 400:
        return None
    try:
        return int(word, 16) if digits[:2] in ("0x", "0X") else int(word)
    except ValueError:
        return None


def _message_type(word: str, quoted: bool) -> int:
    numbers = {name: number for number, name in MESSAGE_TYPES.items()} | {"NOTIFICATION": 3, "ROUTE_REFRESH": 5}
    name = word.upper().replace("-", "_")
    value = numbers[name] if name in numbers else _as_integer(word)
    if value is None or not 0 <= value <= 255:
        raise _wrong(word, f"a message type: {', '.join(MESSAGE_TYPES.values())}, or 0 to 255{hint(word, numbers)}")
    return value


def _family(word: str, quoted: bool) -> tuple[int | None, int | None]:
    if "/" in word:
        return parse_family(word)
    name = word.upper().replace("-", "_")
    for number, known in AFIS.items():
        if known == name:
            return number, None
    for number, known in SAFIS.items():
        if known == name:
            return None, number
    near = hint(word, (*AFIS.values(), *SAFIS.values()))
    raise _wrong(word, f"an address family such as IPV4/UNICAST, IPV6 or FLOWSPEC{near}")


def _prefix(word: str, quoted: bool) -> Prefix:
    address, slash, digits = word.partition("/")
    try:
        packed = pack_address(address)
    except FieldError:
        raise _wrong(word, "a prefix such as 192.0.2.0/24 or 2001:db8::/32") from None
    bits = len(packed) * 8
    length = bits
    if slash:
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 3) or int(digits) > bits:
            raise _wrong(word, f"a prefix length of 0 to {bits}")
        length = int(digits)
    number = int.from_bytes(packed, "big") >> (bits - length) << (bits - length)
    return Prefix(4 if bits == 32 else 6, number.to_bytes(bits // 8, "big"), length)


MAPPED = bytes(10) + b"\xff\xff"  # RFC 4291 section 2.5.5.2


def _address(word: str, quoted: bool) -> bytes:
    packed = pack_address(word)
    return packed[12:] if packed.startswith(MAPPED) else packed


def _network(word: str, quoted: bool) -> Prefix:
    network = _prefix(word, quoted)
    if network.length >= 96 and network.packed.startswith(MAPPED):
        return Prefix(4, network.packed[12:], network.length - 96)
    return network


def _without_as(word: str) -> str:
    """An AS number without the AS that people put in front of it."""
    return word[2:] if word[:2].upper() == "AS" and word[2:].isdigit() else word


def _asn(word: str, quoted: bool) -> int:
    return _integer("an AS number", MAX_32)(_without_as(word), quoted)


def _path(word: str, quoted: bool) -> int | str:
    value = None if quoted else _as_integer(_without_as(word))
    if value is not None and 0 <= value <= MAX_32:
        return value
    hops = []
    in_set = False
    for hop in word.replace(" ", "").split(",") if word else ():
        opens = hop.startswith("[")
        closes = hop.endswith("]")
        digits = _without_as(hop[opens : len(hop) - closes])
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else MAX_32 + 1
        if number > MAX_32 or opens == in_set != closes or (opens and in_set):
            raise _wrong(word, 'an AS number, or a whole path such as "64500,[64501,64502]"')
        in_set = (in_set or opens) and not closes
        hops.append(f"{'[' * opens}{number}{']' * closes}")
    if in_set:
        raise _wrong(word, "] at the end of the set")
    return ",".join(hops)


def _origin(word: str, quoted: bool) -> int:
    for number, names in enumerate((("igp", "i", "0"), ("egp", "e", "1"), ("incomplete", "?", "2"))):
        if word.lower() in names:
            return number
    raise _wrong(word, "igp, egp or incomplete; or i, e, ?; or 0, 1, 2")


def _community(word: str, quoted: bool) -> bytes:
    number = _as_integer(word)
    try:
        return pack_community(word if number is None else number)
    except FieldError:
        known = tuple(WELL_KNOWN_COMMUNITIES.values())
        what = "a community such as 65000:1 (both parts up to 65535), or the name of a well-known one"
        any_of_them = f'; for all of an AS, community ~ "\\"{word[:-1]}"' if word.endswith(":*") else ""
        raise _wrong(word, what + (hint(word, known) or any_of_them)) from None


def _ext_community(word: str, quoted: bool) -> bytes:
    kind, colon, _ = word.partition(":")
    if colon and kind.isdigit():  # a type in decimal, to the letter, but then the type was forgotten
        raise _wrong(word, "an extended community such as TARGET:65000:1")
    return pack_ext_community(word)


def _large_community(word: str, quoted: bool) -> bytes:
    return pack_large_community(word)


def _text(word: str, quoted: bool) -> str:
    return word


def _pattern(word: str, quoted: bool) -> Pattern:
    return compile_pattern(word)


def _direction(word: str, quoted: bool) -> str:
    if word.upper() not in ("L", "R"):
        raise _wrong(word, "L or R")
    return word.upper()


def _time(word: str, quoted: bool) -> int:
    """RFC 3339 as far as given, UTC where it does not say; or seconds since 1970, from 9 digits on."""
    from datetime import UTC, datetime

    wrong = _wrong(word, "a time such as 2023-01-01, 2023-01-01T12:00:05.25 or 2023-01-01T14:00+02:00")
    whole, dot, rest = word.partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    if (dot and not 1 <= digits <= 9) or not word.isascii():
        raise wrong
    ns = int(rest[:digits].ljust(9, "0")) if dot else 0
    if whole.isdigit() and 9 <= len(whole) <= 12 and len(rest) == digits:
        value = int(whole) * 1_000_000_000 + ns
    else:
        try:
            when = datetime.fromisoformat(whole + rest[digits:])
        except ValueError:
            raise wrong from None
        since = (when if when.tzinfo else when.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
        value = (since.days * 86400 + since.seconds) * 1_000_000_000 + ns
    if not -(2**63) <= value < 2**63:
        raise _wrong(word, "a time from 1678 to 2262")
    return value


def _scalar(word: str, quoted: bool) -> object:
    return word if quoted else scalar(word)


def scalar(word: str) -> object:
    """A bare word as JSON has it: true, false, null, a number, else text; 0x00ff is text, too, as octets are there."""
    if word in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[word]
    number = None if word[:2] in ("0x", "0X") else _as_integer(word)
    if number is not None:
        return number
    if word[:1] and word[0] in "-+.0123456789" and "_" not in word:
        try:
            value = float(word)
        except ValueError:
            return word
        if value - value == 0:
            return value
    return word


_COUNT = Kind((*EQUAL, *ORDER), _integer("a number", MAX_32))
_NLRI = Kind((*EQUAL, *ORDER, *LIKE), _prefix, index="*")
_JSON = Kind((*EQUAL, *ORDER, *LIKE), _scalar, _pattern, index="path")

KINDS = {
    "type": Kind(EQUAL, _message_type),
    "af": Kind(EQUAL, _family),
    "prefix": _NLRI,
    "reach": _NLRI,
    "unreach": _NLRI,
    "nexthop": Kind((*EQUAL, *ORDER, *LIKE), _address, _network),
    "aspath": Kind((*EQUAL, *ORDER, *LIKE), _path, _pattern, index="n"),
    "aspath_len": _COUNT,
    "aspath_hops": _COUNT,
    "origin": Kind(EQUAL, _origin),
    "med": _COUNT,
    "local_pref": _COUNT,
    "otc": Kind((*EQUAL, *ORDER), _asn),
    "community": Kind((*EQUAL, *LIKE), _community, _pattern),
    "ext_community": Kind((*EQUAL, *LIKE), _ext_community, _pattern),
    "large_community": Kind((*EQUAL, *LIKE), _large_community, _pattern),
    "tag": Kind((*EQUAL, *LIKE), _text, _pattern, index="text"),
    "dir": Kind(EQUAL, _direction),
    "seq": Kind((*EQUAL, *ORDER), _integer("a number", 2**64 - 1)),
    "time": Kind((*EQUAL, *ORDER, *LIKE), _time, _pattern),
    "json": _JSON,
    "attr": _JSON,
}

# Other names of attributes, with an index that they stand for.
ALIASES: dict[str, tuple[str, int | None]] = {
    "nh": ("nexthop", None),
    "as_path": ("aspath", None),
    "as_path_len": ("aspath_len", None),
    "as_path_hops": ("aspath_hops", None),
    "as_origin": ("aspath", -1),
    "as_upstream": ("aspath", -2),
    "as_peer": ("aspath", 0),
    "metric": ("med", None),
    "localpref": ("local_pref", None),
    "only_to_customer": ("otc", None),
    "com": ("community", None),
    "ext_com": ("ext_community", None),
    "com_ext": ("ext_community", None),
    "large_com": ("large_community", None),
    "com_large": ("large_community", None),
    "tags": ("tag", None),
}

# Names that are a whole comparison.
COMPARISONS: dict[str, tuple[str, object]] = {
    "open": ("type", 1),
    "update": ("type", 2),
    "notify": ("type", 3),
    "notification": ("type", 3),
    "keepalive": ("type", 4),
    "refresh": ("type", 5),
    "route_refresh": ("type", 5),
    "ipv4": ("af", (1, 1)),
    "ipv6": ("af", (2, 1)),
}

NAMES = (*KINDS, *ALIASES, *COMPARISONS)

# What other languages write for our signs.
SIGNS = {"not": "!", "and": "&&", "or": "||"}


def parse(text: str) -> tuple[Node, tuple[str, ...]]:
    """The tree of a filter, and what its author may not have meant. FilterError."""
    parser = Parser(text)
    if parser.lexer.ended():
        raise parser.lexer.error("the filter is empty, expected an attribute such as prefix or as_origin")
    tree = parser.expression(0)
    if not parser.lexer.ended():
        raise parser.unexpected()
    return tree, tuple(parser.warnings)


class Parser:
    """One filter's reading."""

    def __init__(self, text: str) -> None:
        self.lexer = Lexer(text)
        self.warnings: list[str] = []
        self.compared = True  # whether the last term is complete: no operator can follow
        self.bare = False  # whether it ended in a value without quotes
        self.patterns: dict[str, Pattern] = {}
        self.instructions = 0  # of these

    def unexpected(self) -> FilterError:
        """What stands behind a term that can stand there."""
        if self.lexer.peek(")"):
            return self.lexer.error("there is no ( for this )")
        at = self.lexer.at
        name = self.lexer.name()
        self.lexer.at = at
        if name in SIGNS:
            return self.lexer.error(f"{quote(name)} is written {SIGNS[name]}")
        operator = "" if self.compared else "an operator, "
        spaces = "; a value with spaces goes in quotes" if self.bare and name and name not in NAMES else ""
        return self.lexer.error(f"{self.lexer.rest()}, expected {operator}&& or ||{spaces}")

    def expression(self, depth: int) -> Node:
        """Terms up to the end or a closing parenthesis."""
        groups = [[self.term(depth)]]
        while True:
            if self.lexer.take("&&"):
                groups[-1].append(self.term(depth))
            elif self.lexer.take("||"):
                groups.append([self.term(depth)])
            else:
                break
        if any(len(group) > 1 for group in groups[:-1]):  # alternatives in front of one conjunction are read alike
            self.warn(self._mixed(groups))
        terms = [_join(And, group) for group in groups]
        return _join(Or, terms)

    def warn(self, text: str) -> None:
        if text not in self.warnings and len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(text)

    def term(self, depth: int) -> Node:
        lexer = self.lexer
        lexer.skip_space()
        start = lexer.at
        negated = lexer.take("!")
        if not lexer.take("("):
            return self.test(start, negated)
        opened = lexer.at - 1
        if depth == MAX_DEPTH:
            raise lexer.error(f"more than {MAX_DEPTH} parentheses in each other", opened)
        term = self.expression(depth + 1)
        if not lexer.take(")"):
            if lexer.ended():
                raise lexer.error("( is not closed: expected )", opened)
            raise self.unexpected()
        self.bare = False
        term.start, term.end = opened, lexer.at
        return Not(term, start, lexer.at) if negated else term

    def test(self, start: int, negated: bool) -> Node:
        lexer = self.lexer
        lexer.skip_space()
        at = lexer.at
        name = lexer.name()
        self.compared = name in COMPARISONS
        self.bare = False
        if name not in NAMES:
            if not name:
                raise lexer.error(f"{lexer.rest()}, expected an attribute such as prefix or as_origin")
            word = lexer.text[at : lexer.at]
            if name in SIGNS:
                raise lexer.error(f"{quote(word)} is written {SIGNS[name]}", at)
            raise lexer.error(f"{quote(word)} is no attribute{hint(name, NAMES)}", at)
        if name in COMPARISONS:
            attribute, value = COMPARISONS[name]
            end = lexer.at
            if lexer.peek("[") or lexer.operator():
                raise lexer.error(f"{name} stands alone: it means {_spelled(attribute, value)}", at)
            test = Test(attribute, None, "==", value, at, end)
            return Not(test, start, end) if negated else test
        attribute, index = ALIASES.get(name, (name, None))
        kind = KINDS[attribute]
        test = Test(attribute, self.index(name, kind, index), start=at)
        test.end = lexer.at
        lexer.skip_space()
        operator_at = lexer.at
        operator = lexer.operator()
        if operator:
            if operator not in kind.operators:
                takes = " ".join(operator for operator in kind.operators if operator)
                raise lexer.error(f"{name} {operator}: {name} takes {takes}", operator_at)
            if operator in LIKE and isinstance(test.index, int):
                raise lexer.error(f"{name} {operator}: regular expressions look at the whole aspath", operator_at)
            self.compared = True
            test.operator = operator
            test.value = self.values(test, kind) if operator == "in" else self.value(test, kind)
            test.end = lexer.at
        if not negated:
            return test
        if operator in OPPOSITE:
            test.operator = OPPOSITE[operator]
            test.start = start
            return test
        opposite = Not(test, start, test.end)
        return And([_presence(test), opposite], start, test.end) if operator else opposite

    def index(self, name: str, kind: Kind, index: int | None) -> int | str | None:
        lexer = self.lexer
        at = lexer.at
        text = lexer.index()
        if text is None:
            if kind.index == "path":
                example = "json[attrs.MED.value]" if name == "json" else "attr[MED]"
                raise lexer.error(f"{name} needs a path in brackets, such as {example}")
            return index
        if index is not None or not kind.index:
            raise lexer.error(f"{name} takes no index", at)
        if kind.index == "text":
            return text
        if kind.index == "path":
            if not all(text.split(".")):
                raise lexer.error(f"{quote(text)}, expected names and numbers with . between them", at)
            return self._attribute_path(text, at) if name == "attr" else text
        if text == "*":
            return "*" if kind.index == "*" else None
        if kind.index == "*":
            raise lexer.error(f"{quote(text)}, expected {name} or {name}[*]", at)
        number = _as_integer(text)
        if number is None or abs(number) > 65535:
            raise lexer.error(f"{quote(text)}, expected a number, such as 0 or -1, or *", at)
        return number

    def _attribute_path(self, text: str, at: int) -> str:
        name, dot, path = text.partition(".")
        try:
            code = attribute_code(name.replace("-", "_"))
        except FieldError as error:
            raise self.lexer.error(str(error), at) from None
        return ATTRIBUTES.get(code, f"ATTR_{code}") + dot + path

    def value(self, test: Test, kind: Kind, in_list: bool = False) -> object:
        lexer = self.lexer
        lexer.skip_space()
        at = lexer.at
        word, quoted = lexer.value(in_list)
        if not word and not quoted:
            raise lexer.error(f"{lexer.rest()}, expected a value")
        like = test.operator in LIKE
        read = kind.like if like else kind.read
        if read is _path and (test.index is not None or test.operator not in ("==", "!=")):
            read = _asn
        self.bare = not quoted and not in_list
        try:
            value = self.pattern(word) if read is _pattern else read(word, quoted)
        except FieldError as error:
            bare = "" if quoted or "(" not in word else "; a value with ) in it goes in quotes"
            bare = bare or ('; the quotes of a filter are "' if word[:1] == "'" else "")
            raise lexer.error(f"{error}{bare}", at) from None
        if test.attribute in ("json", "attr") and test.operator in ORDER and type(value) not in (int, float):
            raise lexer.error(f"{quote(word)}, expected a number", at)
        self._doubts(word, value, lexer.text[at : lexer.at] if like and quoted else "")
        return value

    def pattern(self, word: str) -> Pattern:
        """A regular expression, one and the same wherever it stands in the filter. FieldError."""
        if word not in self.patterns:
            self.patterns[word] = _pattern(word, True)
            self.instructions += self.patterns[word].size
            if self.instructions > MAX_INSTRUCTIONS:
                raise FieldError(
                    f"regular expressions up to here take {self.instructions} instructions, expected "
                    f"{MAX_INSTRUCTIONS} at most in a filter; repetitions such as .{{999}} are what takes most"
                )
        return self.patterns[word]

    def _doubts(self, word: str, value: object, quoted_pattern: str) -> None:
        if isinstance(value, Prefix) and "/" in word:
            address, _, length = word.partition("/")
            packed = pack_address(address)
            if int.from_bytes(packed, "big") & ((1 << (len(packed) * 8 - int(length))) - 1):
                self.warn(f"{word} has bits set behind its length; they are ignored")
        if isinstance(value, str) and len(word) > 1 and word[0] == word[-1] == "'":
            self.warn(f'{word} is looked for with its quotes; those of a filter are "')
        lost = [pair for pair in _escapes(quoted_pattern) if pair[1].isalnum()]
        if lost:
            self.warn(f"in quotes, {lost[0]} is {lost[0][1]} alone; for {lost[0]} in the pattern, write \\{lost[0]}")

    def values(self, test: Test, kind: Kind) -> object:
        """What `in` takes: a list or, of prefixes, a file."""
        lexer = self.lexer
        files = kind.read is _prefix
        if lexer.take("["):
            values = [self.value(test, kind, True)]
            while lexer.take(","):
                values.append(self.value(test, kind, True))
            if not lexer.take("]"):
                raise lexer.error(f"{lexer.rest()}, expected , or ]")
            return values
        lexer.skip_space()
        at = lexer.at
        if files and lexer.name() == "file" and lexer.take("("):
            path, _ = lexer.value()
            if not path:
                raise lexer.error(f"{lexer.rest()}, expected the name of a file")
            if not lexer.take(")"):
                raise lexer.error(f"{lexer.rest()}, expected )")
            return PrefixFile(path, at)
        lexer.at = at
        inside = f"; {test.attribute} <= NETWORK looks for what is inside one" if files else ""
        raise lexer.error(f"{lexer.rest()}, expected [VALUE, ...]{' or file(PATH)' if files else ''}{inside}")

    def _mixed(self, groups: list[list[Node]]) -> str:
        warning = "&& and || are mixed without parentheses, and the Go bgpipe may read that in another way"
        if groups[-1][-1].end - groups[0][0].start > MAX_SHOWN:
            return warning
        ours = " || ".join(f"({self._joined(group)})" if len(group) > 1 else self._joined(group) for group in groups)
        return f"{warning}; here: {ours}; there: {self._reference(groups)}"

    def _joined(self, group: list[Node]) -> str:
        return " && ".join(self.lexer.text[term.start : term.end] for term in group)

    def _reference(self, groups: list[list[Node]]) -> str:
        """How the Go bgpipe reads alternatives.

        The first one that is a conjunction decides, unless a single term before it is true. Where it holds, so must
        later conjunctions, unless a single term before them is true; with none left, the filter matches.
        """
        reading = ""
        for group in reversed(groups):
            if len(group) > 1:
                rest = f" && ({reading})" if " || " in reading else f" && {reading}" if reading else ""
                reading = self._joined(group) + rest
            elif reading:
                reading = f"{self._joined(group)} || ({reading})"
        return reading


def _join(kind: type[And], terms: list[Node]) -> Node:
    return kind(terms, terms[0].start, terms[-1].end) if len(terms) > 1 else terms[0]


def _presence(test: Test) -> Test:
    """The test whether there is what another one compares."""
    if test.attribute in ("prefix", "reach", "unreach"):
        return Test(test.attribute, None, "", None, test.start, test.end)
    if test.attribute in ("aspath", "aspath_len", "aspath_hops"):
        return Test("aspath", None, "", None, test.start, test.end)
    return Test(test.attribute, test.index, "", None, test.start, test.end)


def _spelled(attribute: str, value: object) -> str:
    if attribute == "type":
        return f"type == {MESSAGE_TYPES[value]}" if isinstance(value, int) else ""
    return f"af == {'IPV4' if value == (1, 1) else 'IPV6'}/UNICAST"


def _escapes(quoted: str) -> list[str]:
    """Each \\ of a quoted string with the character behind it."""
    found = []
    at = quoted.find("\\")
    while at >= 0:
        found.append(quoted[at : at + 2])
        at = quoted.find("\\", at + 2)
    return found

