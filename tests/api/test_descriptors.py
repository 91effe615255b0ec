"""Our API subset against the official descriptors: a field number that is wrong would be read wrong by everybody."""

import importlib
import subprocess
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

TOP = Path(__file__).resolve().parents[2]
API = TOP / "api"
Field = descriptor_pb2.FieldDescriptorProto


def our_files(tmp):
    protos = sorted(str(p.relative_to(API)) for p in API.rglob("*.proto"))
    assert len(protos) > 20
    out = tmp / "api.bin"
    subprocess.run(["protoc", "-I", API, f"--descriptor_set_out={out}", *protos], check=True)
    files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file
    return [file for file in files if not file.package.startswith("remora.")]  # our own: nothing official beside it


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    files = our_files(tmp_path_factory.mktemp("api"))
    for file in files:
        importlib.import_module(file.name.removesuffix(".proto").replace("/", ".") + "_pb2")
    return files


def official(file):
    pool = descriptor_pool.Default()
    proto = descriptor_pb2.FileDescriptorProto()
    pool.FindFileByName(file.name).CopyToProto(proto)
    return proto


def by_name(items):
    return {item.name: item for item in items}


def describe(field, message):
    """All of a field that its bytes depend on, and the name of its oneof."""
    oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else None
    return (
        field.number,
        Field.Type.Name(field.type),
        Field.Label.Name(field.label),
        field.type_name,
        oneof,
        field.proto3_optional,
    )


def compare_enum(where, mine, theirs, problems):
    known = {v.name: v.number for v in theirs.value}
    for value in mine.value:
        if known.get(value.name) != value.number:
            problems.append(f"{where}.{value.name} = {value.number}, officially {known.get(value.name)}")


def compare_message(where, mine, theirs, problems):
    known = by_name(theirs.field)
    for field in mine.field:
        if field.name not in known:
            problems.append(f"{where}.{field.name}: there is no such field")
        elif (got := describe(field, mine)) != (want := describe(known[field.name], theirs)):
            problems.append(f"{where}.{field.name}: {got}, officially {want}")
    if mine.options.map_entry != theirs.options.map_entry:
        problems.append(f"{where}: a map, or none")
    compare_all(where, mine.nested_type, theirs.nested_type, compare_message, problems)
    compare_all(where, mine.enum_type, theirs.enum_type, compare_enum, problems)


def compare_all(where, mine, theirs, compare, problems):
    known = by_name(theirs)
    for item in mine:
        name = f"{where}.{item.name}"
        if item.name in known:
            compare(name, item, known[item.name], problems)
        else:
            problems.append(f"{name}: there is no such type")


def test_every_name_number_and_type_is_official(ours):
    problems = []
    for file in ours:
        theirs = official(file)
        if file.package != theirs.package:
            problems.append(f"{file.name}: package {file.package}, officially {theirs.package}")
        compare_all(file.package, file.message_type, theirs.message_type, compare_message, problems)
        compare_all(file.package, file.enum_type, theirs.enum_type, compare_enum, problems)
    assert problems == []


def test_the_comparison_sees_a_wrong_number(ours):
    file = descriptor_pb2.FileDescriptorProto()
    file.CopyFrom(next(f for f in ours if f.name == "envoy/type/v3/range.proto"))
    file.message_type[0].field[0].number = 7
    problems = []
    compare_all(file.package, file.message_type, official(file).message_type, compare_message, problems)
    assert len(problems) == 1 and "Int64Range.start: (7, 'TYPE_INT64'" in problems[0]


def test_the_table_of_what_envoy_has_beside_is_current(tmp_path):
    """scripts/envoy_names wrote proxy/xds/envoy_names.inc after the last change of api/."""
    written = TOP / "proxy/xds/envoy_names.inc"
    before = written.read_text(encoding="utf-8")
    lines = dict(
        line.strip().strip('",').split(" ", 1)
        for line in before.splitlines()
        if line.startswith('    "') and " " in line.strip()
    )
    for file in our_files(tmp_path):
        importlib.import_module(file.name.removesuffix(".proto").replace("/", ".") + "_pb2")
        theirs = official(file)
        for message in file.message_type:
            known = set(by_name(by_name(theirs.message_type)[message.name].field))
            missing = sorted(known - set(by_name(message.field)))
            assert lines.get(f"{file.package}.{message.name}", "").split() == missing
