"""The include direction: which folder may include which. Edit the table here; ARCHITECTURE.md explains it.

Each folder names its direct neighbours below; what they may include, it may include too. A folder may always include
itself. A file that needs a table line of its own (the composition roots) has one, by its path without extension.
"""

import re
from dataclasses import dataclass
from pathlib import Path

LAYERS = {
    # the foundation: shared by the proxy and, later, by the control plane
    "core/base": [],
    "core/config": ["core/base"],  # YAML with places, and errors that name them
    "core/event": ["core/base"],
    "core/net": ["core/event"],
    "core/admin": ["core/event"],  # HTTP and JSON for admin pages, of the proxy and of control
    "core/tls": ["core/net"],
    "core/http": ["core/base"],  # codecs do no I/O: they fuzz and simulate directly
    "core/grpc": ["core/tls", "core/http"],
    "core/consul": ["core/tls", "core/http", "core/config"],
    "metrics": ["core/base"],
    "api": [],
    # the proxy
    "proxy/model": ["core/base"],
    "proxy/info": ["proxy/model", "core/http"],  # the facts of one exchange, for whoever reads them
    "proxy/routing": ["proxy/model", "core/http"],
    "proxy/xds": ["proxy/model", "core/config", "api"],
    "proxy/sources": ["proxy/model", "proxy/xds", "core/net", "core/consul", "core/grpc"],
    "proxy/upstream": ["proxy/model", "core/net", "core/tls", "core/http", "metrics"],
    "proxy/tcp": ["proxy/upstream", "proxy/info"],
    "proxy/filters": ["proxy/info", "proxy/routing", "metrics"],
    "proxy/exchange": ["proxy/upstream", "proxy/routing", "proxy/filters"],
    "proxy/listener": ["proxy/exchange", "proxy/tcp"],
    "proxy/admin": ["proxy/exchange", "core/admin"],  # /route asks what an exchange would
    # the control plane; the proxy links its catalog and translation for --mesh
    "control/catalog": ["core/config", "core/consul"],
    "control/translate": ["control/catalog", "api"],
    "control/explain": ["control/translate", "proxy/xds", "proxy/routing"],  # the proxy's own route table
    "control/server": ["control/translate", "core/grpc", "core/admin", "metrics"],
    "control/*": ["control/explain", "control/server"],
    "control/main": ["control/*"],
    # files right in proxy/: `*` for all that have no line of their own, then the composition roots
    "proxy/mesh": ["proxy/sources", "control/translate"],  # --mesh: a control plane in process
    "proxy/*": ["proxy/listener", "proxy/admin", "proxy/sources", "proxy/xds", "proxy/mesh"],
    "proxy/prepared": ["proxy/listener"],
    "proxy/worker": ["proxy/listener", "proxy/prepared", "proxy/inbound", "proxy/outbound"],
    "proxy/publisher": ["proxy/worker"],
    "proxy/inbound": ["proxy/listener"],
    "proxy/outbound": ["proxy/listener"],
    "proxy/worker_thread": ["proxy/publisher"],
    "proxy/sidecar": ["proxy/worker_thread", "proxy/publisher", "proxy/*"],
    "proxy/sidecar_facts": ["proxy/sidecar"],
    "proxy/main": ["proxy/sidecar"],
}

# Single files that a folder may include though their folder is above it, while they wait for a better place:
# {"proxy/filters": ["proxy/exchange/request_info.h"]}. None today.
EXCEPTIONS = {}

# Who may see the generated protobuf headers (house rule 9: translate at the edge).
PROTOBUF_READERS = ["proxy/xds", "proxy/sources", "api", "control", "tests"]

# Free to include anything: nothing includes them.
LEAVES = ["tests", "bench", "examples"]

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


@dataclass
class Problem:
    file: str
    line: int
    text: str

    def __str__(self):
        return f"{self.file}:{self.line}: {self.text}"


def closure(table):
    """For each folder, all that it may include, neighbours' neighbours too. A cycle in the table is an error."""
    done, doing = {}, []

    def visit(name):
        if name in done:
            return done[name]
        if name in doing:
            raise ValueError("the layer table has a cycle: " + " -> ".join([*doing, name]))
        doing.append(name)
        below = set()
        for neighbour in table[name]:
            if neighbour not in table:
                raise ValueError(f"the layer table's line {name} names {neighbour}, which has no line")
            below |= {neighbour} | visit(neighbour)
        doing.pop()
        done[name] = below
        return below

    for name in table:
        visit(name)
    return done


def layer_of(path, table):
    """The table's line for a file: its own, or that of its folder's files, or the longest folder that has one."""
    stem = re.sub(r"\.(h|cc)$", "", path)
    parts = path.split("/")[:-1]
    for name in (stem, "/".join([*parts, "*"])):
        if name in table:
            return name
    while parts:
        if "/".join(parts) in table:
            return "/".join(parts)
        parts.pop()
    return None


def check_file(path, text, table=None, exceptions=None):
    table = LAYERS if table is None else table
    exceptions = EXCEPTIONS if exceptions is None else exceptions
    if path.split("/")[0] in LEAVES:
        return []
    layer = layer_of(path, table)
    if layer is None:
        return [Problem(path, 1, "no line of scripts/house/layers.py covers this file: give its folder one")]
    allowed = closure(table)[layer] | {layer}
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, target = match.groups()
        if target.endswith(".pb.h"):
            if not any(path.startswith(reader + "/") for reader in PROTOBUF_READERS):
                problems.append(Problem(path, number, f"includes {target}: only {', '.join(PROTOBUF_READERS)} see .pb.h"))
            continue
        if quote == "<" or target in exceptions.get(layer, []):
            continue
        target_layer = layer_of(target, table)
        if target_layer is None:
            top = target.split("/")[0]
            if top in LEAVES:
                problems.append(Problem(path, number, f"includes {target}: nothing may include {top}/"))
            elif "/" not in target or not any(known.split("/")[0] == top for known in table):
                what = "write the path from the top" if "/" not in target else "an outside library takes <>"
                problems.append(Problem(path, number, f'includes "{target}": {what}'))
            else:
                problems.append(Problem(path, number, f"includes {target}: its folder has no line in layers.py"))
        elif target_layer not in allowed:
            problems.append(
                Problem(path, number, f"includes {target}, which is above: {layer} may include {', '.join(sorted(allowed))}")
            )
    return problems


def check_tree(top, files):
    """Problems of all C++ files among `files` (paths from `top`)."""
    problems = []
    for path in files:
        if path.endswith((".h", ".cc")):
            problems += check_file(path, (Path(top) / path).read_text(encoding="utf-8"))
    return problems


def check_links(top, files):
    """The link graph says the same: a folder's CMakeLists.txt links no library whose folder is above it."""
    library = re.compile(r"remora_library\(\s*(\w+)(?:\s+DEPS([^)]*))?\)", re.S)
    owners, deps = {}, {}
    for path in files:
        if path.endswith("/CMakeLists.txt") and path.split("/")[0] not in LEAVES:
            text = (Path(top) / path).read_text(encoding="utf-8")
            for match in library.finditer(text):
                owners[match.group(1)] = path.rsplit("/", 1)[0]
                line = text[: match.start()].count("\n") + 1
                deps[match.group(1)] = (path, line, (match.group(2) or "").split())
    below, problems = closure(LAYERS), []
    for name, (path, line, names) in deps.items():
        folder = owners[name]
        for other in names:
            if other in owners and folder in LAYERS and owners[other] not in below[folder] | {folder}:
                excused = any(e.startswith(owners[other] + "/") for e in EXCEPTIONS.get(folder, []))
                if not excused:
                    problems.append(Problem(path, line, f"{name} links {other} ({owners[other]}), which is above"))
    return problems
