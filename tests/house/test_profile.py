"""scripts/profile, and that release builds are optimised by what it prints."""

import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def profile() -> Path:
    done = subprocess.run(["scripts/profile"], cwd=TOP, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def test_the_whole_request_path_was_trained():
    counted = {path.name.split("#")[-1].removesuffix(".gcda") for path in profile().glob("*.gcda")}
    for source in ("llhttp.c", "socket_transport.cc", "libevent_loop.cc", "http1_server.cc", "exchange.cc", "attempt.cc",
                   "connection_pool.cc", "route_table.cc", "worker.cc"):
        assert source in counted, sorted(counted)


def test_a_command_is_told_where_it_is():
    done = subprocess.run(["scripts/profile", "echo", "--preset", "x"], cwd=TOP, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"--preset x -DREMORA_PROFILE={profile()}"


def test_the_release_build_takes_it_for_the_request_path_alone():
    lines = (TOP / "build/release/build.ninja").read_text().splitlines()
    by_object = {}
    for line in lines:
        if line.startswith("build "):
            name = line.split()[1].rstrip(":")
        elif line.startswith("  FLAGS = "):
            by_object[name] = line
    flags = lambda end: next(words for name, words in by_object.items() if name.endswith(end))  # noqa: E731
    assert f"-fprofile-use={profile()}" in flags("/exchange.cc.o")
    assert f"-fprofile-use={profile()}" in flags("/llhttp.c.o")
    assert "-fprofile-use" not in flags("/config_error.cc.o")
    assert not any("-fprofile-generate" in words for words in by_object.values())


def test_a_folder_that_is_not_there_is_an_error_that_says_what_makes_one(tmp_path):
    done = subprocess.run(
        ["cmake", "--preset", "release", "-B", tmp_path / "build", f"-DREMORA_PROFILE={tmp_path}/none"],
        cwd=TOP, capture_output=True, text=True, timeout=120, check=False,
    )
    assert done.returncode != 0 and "scripts/profile makes one" in done.stderr
