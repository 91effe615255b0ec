"""clang-tidy over every file of ours. A verdict is remembered by the content of all that it depends on, so a run after a
small change looks at few files. Only clean verdicts are remembered."""

import hashlib
import json
import os
import re
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.house import junit

PROGRAM = "clang-tidy-19"
# GCC's words that clang does not know are no finding; -Werror is the compiler's business.
EXTRA = ["-Wno-unknown-warning-option", "-Wno-error", "-Wno-ignored-optimization-argument"]


def dependencies(build_dir):
    """For each object, the files that it was made of, from ninja's own log."""
    text = subprocess.run(["ninja", "-C", build_dir, "-t", "deps"], capture_output=True, text=True, check=True).stdout
    deps, current = {}, None
    for line in text.splitlines():
        if line.startswith("    "):
            deps[current].append(line.strip())
        elif ": #deps" in line:
            current = line.split(": #deps")[0]
            deps[current] = []
    return deps


def digest(path, memory):
    if path not in memory:
        try:
            memory[path] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        except OSError:
            memory[path] = "missing"
    return memory[path]


def keys(top, build_dir, entries, base):
    """A file's key: the tool, the settings, the command, and the content of all of our headers that it sees."""
    deps, memory, result = dependencies(build_dir), {}, {}
    prefix = str(top) + os.sep
    for entry in entries:
        source = entry["file"]
        built_of = {os.path.normpath(os.path.join(build_dir, d)) for d in deps.get(entry["output"], [])} | {source}
        ours = sorted(path for path in built_of if path.startswith(prefix))
        state = hashlib.sha256(base)
        state.update(entry["command"].replace(str(top), ".").encode())
        for path in ours:
            state.update(f"{path[len(prefix):]}={digest(path, memory)}\n".encode())
        result[source] = state.hexdigest()
    return result


def settings(top):
    version = subprocess.run([PROGRAM, "--version"], capture_output=True, check=True).stdout
    files = [path for path in sorted(Path(top).rglob(".clang-tidy")) if "build" not in path.parts]
    return version + " ".join(EXTRA).encode() + b"".join(path.read_bytes() for path in files)


def our_entries(top, build_dir):
    entries = []
    for entry in json.loads((Path(build_dir) / "compile_commands.json").read_text()):
        source = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
        inside = source.startswith(str(top) + os.sep) and not source.startswith(str(Path(top) / "build") + os.sep)
        if inside and source.endswith(".cc"):
            words = shlex.split(entry["command"])
            entries.append({**entry, "file": source, "output": words[words.index("-o") + 1]})
    return entries


def run(shell):
    build_dir = shell.top / "build" / "asan"
    memory = Path(os.environ["REMORA_CACHE"]) / "tidy"
    memory.mkdir(parents=True, exist_ok=True)
    entries = our_entries(shell.top, build_dir)
    key_of = keys(shell.top, build_dir, entries, settings(shell.top))
    todo = [source for source in key_of if not (memory / key_of[source]).exists()]
    print(f"     {len(key_of) - len(todo)} of {len(key_of)} files unchanged since they were found clean", flush=True)

    def one(source):
        command = [PROGRAM, "-p", build_dir, "--quiet", "--warnings-as-errors=*", *[f"--extra-arg={e}" for e in EXTRA], source]
        done = subprocess.run([str(c) for c in command], cwd=shell.top, capture_output=True, text=True)
        if done.returncode == 0:
            (memory / key_of[source]).touch()
            return source, None
        found = re.findall(r"^.*(?:warning|error): .*$", done.stdout, re.M) or (done.stdout + done.stderr).splitlines()[-10:]
        return source, "\n".join(dict.fromkeys(line.replace(f"{shell.top}/", "") for line in found))

    with ThreadPoolExecutor(shell.jobs) as pool:
        verdicts = dict(pool.map(one, todo))
    cases = [(source[len(str(shell.top)) + 1 :], verdicts.get(source)) for source in key_of]
    with open(shell.log_path("tidy"), "w") as log:
        log.writelines(f"{name}\n{text}\n\n" for name, text in cases if text)
    junit.write(shell.report_path("tidy"), "tidy", cases)
    return junit.read(shell.report_dir / "tidy.xml", shell.in_ci)
