"""The Dockerfile, built for real: buildah, no daemon, nothing pulled, from a Debian base that debootstrap makes once and
the cache keeps. Then the image's program is started inside it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("REMORA_CACHE") or Path.home() / ".cache/remora")
IMAGES = CACHE / "images"
TAG = f"remora-test-{os.getpid()}"

BOOTSTRAP = """
node: {{id: image, cluster: image}}
admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {admin}}}}}}}
static_resources:
  listeners:
    - name: hello
      address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: hello
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
                route_config:
                  name: hello
                  virtual_hosts:
                    - name: hello
                      domains: ["*"]
                      routes:
                        - match: {{prefix: /}}
                          direct_response: {{status: 200, body: {{inline_string: "hello from the image"}}}}
"""


def buildah(*words, timeout=1500, **options):
    command = ["buildah", "--storage-driver", "vfs", "--root", IMAGES / "storage", "--runroot", IMAGES / "run", *words]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=timeout, **options)
    if done.returncode != 0:
        log = TOP / "build/logs/image.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout + done.stderr)
    assert done.returncode == 0, f"buildah {' '.join(map(str, words))}:\n{(done.stdout + done.stderr)[-4000:]}"
    return done.stdout


def make_base():
    """debian:bookworm-slim, ours: made once, kept in the cache."""
    assert os.geteuid() == 0, "building the image's base needs root (debootstrap, chroot)"
    IMAGES.mkdir(parents=True, exist_ok=True)
    if "localhost/debian:bookworm-slim" in buildah("images", "--format", "{{.Name}}:{{.Tag}}"):
        return
    context = IMAGES / "context"
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir()
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", "bookworm", str(context / "base")], capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, f"debootstrap:\n{(done.stdout + done.stderr)[-3000:]}"
    for archive in (context / "base/var/cache/apt/archives").glob("*.deb"):
        archive.unlink()
    (context / "Dockerfile").write_text("FROM scratch\nCOPY base /\n")
    buildah("bud", "--isolation", "chroot", "--pull-never", "-t", "debian:bookworm-slim", context)
    shutil.rmtree(context)


@pytest.fixture(scope="module")
def image():
    make_base()
    # The outer build's compiler cache, llhttp and profile are lent to the inner one, so that it compiles little.
    ccache = Path(os.environ.get("CCACHE_DIR") or Path.home() / ".cache/ccache")
    ccache.mkdir(parents=True, exist_ok=True)
    volumes = ["--volume", f"{ccache}:/cache/ccache:rw"]
    for folder in (*CACHE.glob("llhttp-*"), *CACHE.glob("profile-*/")):
        volumes += ["--volume", f"{folder}:/cache/{folder.name}:ro"]
    buildah("bud", "--isolation", "chroot", "--pull-never", *volumes, "-t", TAG, TOP)
    container = buildah("from", "--pull-never", TAG).strip()
    yield container
    buildah("rm", container)
    buildah("rmi", TAG)


@pytest.fixture(scope="module")
def root(image):
    yield Path(buildah("mount", image).strip())
    buildah("umount", image)


def test_it_says_its_version(image):
    version = buildah("run", "--isolation", "chroot", image, "--", "/usr/bin/remora-proxy", "--version")
    assert "remora" in version.lower()


def test_it_runs_as_nobody_in_particular(image):
    config = json.loads(buildah("inspect", image))["OCIv1"]["config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["/usr/bin/remora-proxy"]


def test_it_holds_only_what_runs(root):
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    names = {path.name for path in files}
    assert not names & {"sh", "bash", "dash", "apt", "dpkg", "g++", "cmake"}
    libraries = [path for path in files if ".so" in path.name]
    assert 3 <= len(libraries) <= 20, sorted(path.name for path in libraries)
    others = {str(path.relative_to(root)) for path in files if path not in libraries}
    expected = {"usr/bin/remora-proxy", "etc/passwd", "etc/group", "etc/ssl/certs/ca-certificates.crt"}
    # buildah run leaves mount points behind
    assert others - {"etc/hosts", "etc/hostname", "etc/resolv.conf", "run/.containerenv"} == expected
    assert sum(path.stat().st_size for path in files) < 60 * 1024 * 1024


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_it_serves(image, root, tmp_path):
    port, admin = free_port(), free_port()
    text = BOOTSTRAP.format(port=port, admin=admin)
    command = ["buildah", "--storage-driver", "vfs", "--root", IMAGES / "storage", "--runroot", IMAGES / "run", "run"]
    command += ["--isolation", "chroot", image, "--", "/usr/bin/remora-proxy", "--config-yaml", text, "--drain-time-s", "1"]
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen([str(c) for c in command], stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
                    assert answer.read() == b"hello from the image"
                    break
            except (urllib.error.URLError, OSError):
                assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.1)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
