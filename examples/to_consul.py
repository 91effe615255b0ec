#!/usr/bin/env python3
"""Puts a mesh file into a Consul: `to_consul.py MESH.YAML http://127.0.0.1:8500`. Its config entries go to /v1/config, as
they are; its services to the agent (/v1/agent/service/register), which then carries out their checks. Two words differ:

- services have snake_case keys in the file, CamelCase ones in Consul's API;
- service-defaults have no `config` in Consul: what is there goes into `meta.remora` (docs/mesh_file.md).

Run it again after a change of the file: what is there is replaced. What the file no longer has stays in Consul.
"""

import json
import sys
import urllib.error
import urllib.request

import yaml  # Debian: python3-yaml

FREE = {"config", "meta", "header", "tagged_addresses"}  # mappings whose keys are somebody's names
# An entry may lean on those of the kinds before its own.
ORDER = ["proxy-defaults", "service-defaults", "service-resolver", "service-splitter", "service-router", "service-intentions"]


def api_keys(value):
    if isinstance(value, list):
        return [api_keys(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {key.title().replace("_", ""): each if key in FREE else api_keys(each) for key, each in value.items()}


def config_entry(entry):
    entry = dict(entry)
    if entry["kind"] == "service-defaults" and "config" in entry:
        entry["meta"] = {**entry.get("meta", {}), "remora": json.dumps(entry.pop("config"))}
    for route in entry.get("routes", []):
        if "config" in route:
            sys.exit(f"service-router {entry['name']}: the config of a route is for files alone")
    return entry


def registration(service):
    """Consul looks at a sidecar each ten seconds unless told, which is long when one has just started: here each second."""
    out = api_keys({"address": "127.0.0.1", **service})
    sidecar = out.get("Connect", {}).get("SidecarService", {})
    if sidecar.get("Port") and "Check" not in sidecar and "Checks" not in sidecar:
        listens = {"Name": "the sidecar listens", "TCP": f"{out['Address']}:{sidecar['Port']}", "Interval": "1s"}
        lives = {"Name": "its service is well", "AliasService": out.get("Id", out["Name"])}
        sidecar["Checks"] = [listens, lives]
    return out


def put(consul, path, body):
    request = urllib.request.Request(consul + path, json.dumps(body).encode(), {"content-type": "application/json"}, method="PUT")
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except urllib.error.HTTPError as error:
        sys.exit(f"{consul}{path} refused {json.dumps(body)}:\n{error.read().decode()}")
    except OSError as error:
        sys.exit(f"{consul}: {error}")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    path, consul = sys.argv[1], sys.argv[2].rstrip("/")
    with open(path, encoding="utf-8") as file:
        mesh = yaml.safe_load(file)
    for entry in sorted(mesh.get("config_entries", []), key=lambda each: ORDER.index(each["kind"])):
        put(consul, "/v1/config", config_entry(entry))
    for service in mesh.get("services", []):
        put(consul, "/v1/agent/service/register", registration(service))


main()
