#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints a log - metadata, blocks, records - from its files alone.

Written from docs/format/log.md and from nothing else, so that the document and the library check
each other. Exit status: 0 whole, 1 damaged or no log, 2 wrong usage.

    logdump.py [--json] PATH        PATH with or without ".blf"
"""
import json
import os
import struct
import sys
import uuid

NONE = 0xFFFFFFFF << 32
COPY = 638976
TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    TABLE.append(byte)


class Damage(Exception):
    pass


def crc(data, hole=None):
    if hole is not None:
        data = data[:hole] + bytes(4) + data[hole + 4:]
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ TABLE[(value ^ byte) & 255]
    return value ^ 0xFFFFFFFF or 0xFFFFFFFF


def need(fact, what):
    if not fact:
        raise Damage(what)


def guid(data):
    return str(uuid.UUID(bytes_le=bytes(data)))


def lsn(value):
    if value == NONE:
        return None
    return "%x:%x:%d" % (value >> 32, value & 0xFFFFFE00, value & 511)


def read_copy(data):
    """One copy of the metadata, or None when it is not whole."""
    if data[:8] != b"KTMBASE\x1a":
        return None
    size, code = struct.unpack_from("<II", data, 16)
    if not 512 <= size <= COPY or size > len(data) or crc(data[:size], 20) != code:
        return None
    return data[:size]


def read_base(path):
    with open(path, "rb") as file:
        data = file.read(2 * COPY + 1)
    need(len(data) == 2 * COPY, "base file of the wrong size")
    copies = [copy for copy in map(read_copy, (data[:COPY], data[COPY:])) if copy]
    need(copies, "no whole copy of the metadata")
    copies.sort(key=lambda copy: struct.unpack_from("<Q", copy, 24)[0])
    copy = copies[-1]
    need(len(copies) < 2 or copies[0] == copy or copies[0][24:32] != copy[24:32],
         "two copies of one generation")
    names = ("version", "features", "size", "crc", "generation", "guid", "kind", "sector_size",
             "container_size", "streams", "containers", "next_physical", "flags", "epoch", "mark",
             "last_block", "archive_tail")
    base = dict(zip(names, struct.unpack_from("<IIIIQ16sIIQIIIIQQQQ", copy, 8)))
    need(base["version"] == 1 and base["features"] == 0, "unknown version or feature")
    need(base["kind"] == 1 and base["streams"] == 1 and base["containers"] <= 1023, "kind or counts")
    need(base["size"] == 512 * (2 + base["containers"]), "size of the copy")
    need(base["sector_size"] in (512, 4096) and base["flags"] <= 1, "sector size or flags")
    kind, stream, flags, base["base"], base["last"], base["restart"] = \
        struct.unpack_from("<IIQQQQ", copy, 512)
    need((kind, stream, flags) == (1, 0, 0), "stream entry")
    base["table"] = []
    for at in range(1024, base["size"], 512):
        kind, physical, logical, state, end, length = struct.unpack_from("<IIIIQI", copy, at)
        need(kind == 2 and state in (2, 4) and length <= 480, "container entry")
        name = os.fsdecode(copy[at + 32:at + 32 + length])
        base["table"].append(dict(physical=physical, logical=logical, state=state, end=end,
                                  name=name))
    return base


def read_container(base, entry, directory):
    with open(os.path.join(directory, entry["name"]), "rb") as file:
        data = file.read()
    sector = base["sector_size"]
    need(len(data) == base["container_size"], "container %s: size" % entry["name"])
    need(data[:8] == b"KTMCONT\x1a" and struct.unpack_from("<I", data, 12)[0] ==
         crc(data[:sector], 12), "container %s: header" % entry["name"])
    version, _, identity, physical, sectors, size = struct.unpack_from("<II16sIIQ", data, 8)
    need((version, identity, physical, sectors, size) ==
         (1, base["guid"], entry["physical"], sector, len(data)),
         "container %s: of another log, or another container" % entry["name"])
    return data


def read_header(base, data, address):
    """The header of the block at that address, or None."""
    at = address & 0xFFFFFFFF
    head = data[at:at + 96]
    if len(head) < 96 or head[:4] != b"KLB\x1a" or crc(head[:88]) != \
            struct.unpack_from("<I", head, 88)[0]:
        return None
    names = ("version", "records", "guid", "lsn", "previous", "durable", "epoch", "size", "used")
    block = dict(zip(names, struct.unpack_from("<HH16sQQQQII", head, 4)))
    room = min(base["container_size"], 2 ** 32 - base["sector_size"]) - at
    good = (block["version"] == 1 and block["guid"] == base["guid"] and block["lsn"] == address and
            0 < block["size"] <= room and block["size"] % base["sector_size"] == 0 and
            96 < block["used"] <= block["size"] and 1 <= block["records"] <= 512)
    return block if good else None


def read_block(base, data, address, epochs):
    block = read_header(base, data, address)
    at = address & 0xFFFFFFFF
    if not block or block["epoch"] not in epochs:
        return None
    raw = data[at:at + block["size"]]
    if crc(raw, 92) != struct.unpack_from("<I", raw, 92)[0]:
        return None
    offset, block["list"] = 96, []
    for number in range(block["records"]):
        if offset + 24 > block["used"]:
            return None
        kind, stream, flags, length, previous, undo = struct.unpack_from("<BBHIQQ", raw, offset)
        if kind not in (1, 2) or stream or flags or offset + 24 + length > block["used"]:
            return None
        block["list"].append(dict(lsn=address + number, type={1: "data", 2: "restart"}[kind],
                                  previous=previous, undo_next=undo,
                                  data=raw[offset + 24:offset + 24 + length].hex()))
        offset += 24 + (length + 7) // 8 * 8
    return block if offset == block["used"] else None


def start(base, files):
    """Where reading begins, and the block before: at the base, or at the first block of its
    container when the base is no record's LSN."""
    if base["base"] == base["last"]:
        return base["mark"], base["last_block"]
    block = read_block(base, files[0], base["base"] & ~511, range(base["epoch"] + 1))
    if block and base["base"] - block["lsn"] < block["records"]:
        return block["lsn"], block["previous"]
    return base["base"] >> 32 << 32 | base["sector_size"], None


def walk(base, files):
    """The blocks from the base on, and the end: below the mark they must be there, behind it they
    may be."""
    index, sector, blocks = 0, base["sector_size"], []
    address, previous = start(base, files)
    index = (address >> 32) - base["table"][0]["logical"]
    while address < base["mark"]:
        entry = base["table"][index]
        if entry["end"] and address & 0xFFFFFFFF >= entry["end"]:
            index, address = index + 1, (entry["logical"] + 1) << 32 | sector
            continue
        block = read_block(base, files[index], address, range(base["epoch"] + 1))
        need(block and previous in (None, block["previous"]),
             "block %s below the mark is not whole" % lsn(address))
        blocks.append(block)
        previous, address = address, address + block["size"]
    while not base["flags"] & 1:
        first = ((address >> 32) + 1) << 32 | sector
        for at, turn in ((address, index), (first, index + 1)):
            block = turn < len(files) and read_block(base, files[turn], at, (base["epoch"],))
            if block and block["previous"] == previous:
                break
        else:
            look_ahead(base, files, index, address)
            break
        base["table"][turn].update(logical=at >> 32, state=4)
        blocks.append(block)
        index, previous, address = turn, at, at + block["size"]
    return blocks, address


def look_ahead(base, files, index, end):
    """Damage, if a block behind the end says that the log was durable beyond it."""
    sector, limit = base["sector_size"], min(base["container_size"], 2 ** 32 - base["sector_size"])
    for turn, data in enumerate(files):
        first = struct.unpack_from("<Q", data, sector + 24)[0]
        if turn == index:
            at, logical = end & 0xFFFFFFFF, end >> 32
        elif first >> 32 > end >> 32 and read_header(base, data, first):
            at, logical = sector, first >> 32
            need(base["table"][turn]["state"] == 2, "metadata older than what was lost")
        elif turn == index + 1:
            at, logical = sector, (end >> 32) + 1
        else:
            continue
        for at in range(at, limit, sector):
            block = data[at:at + 4] == b"KLB\x1a" and read_header(base, data, logical << 32 | at)
            need(not block or block["epoch"] < base["epoch"] or block["durable"] <= end,
                 "block %s was durable once and is gone" % lsn(end))


def load(path):
    if not path.endswith(".blf"):
        path += ".blf"
    base = read_base(path)
    files = [read_container(base, entry, os.path.dirname(path)) for entry in base["table"]]
    blocks, end = walk(base, files) if files else ([], 0)
    records = [record for block in blocks for record in block.pop("list")
               if record["lsn"] >= base["base"]]
    last = records[-1]["lsn"] + 1 if records else base["last"]
    for record in records:
        record.update((key, lsn(record[key])) for key in ("lsn", "previous", "undo_next"))
    for block in blocks:
        block.update((key, lsn(block[key])) for key in ("lsn", "previous", "durable"))
        del block["guid"]
    base["guid"] = guid(base["guid"])
    for key in ("mark", "last_block", "archive_tail", "base", "restart"):
        base[key] = lsn(base[key])
    base["last"], base["end"] = lsn(last), lsn(end)
    return dict(metadata=base, blocks=blocks, records=records)


def show(log):
    for key, value in log["metadata"].items():
        if key != "table":
            print("%-15s %s" % (key, value))
    for entry in log["metadata"]["table"]:
        print("container       %(name)s: physical %(physical)d, logical %(logical)d, state %(state)d, "
              "end %(end)d" % entry)
    for block in log["blocks"]:
        print("block %(lsn)s: %(records)d records, %(used)d of %(size)d bytes, epoch %(epoch)d, "
              "behind %(previous)s, durable to %(durable)s" % block)
    for record in log["records"]:
        print("%(type)s %(lsn)s: previous %(previous)s, undo-next %(undo_next)s, %(data)s" % record)


def main(arguments):
    paths = [argument for argument in arguments if argument != "--json"]
    if len(paths) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        log = load(paths[0])
    except (Damage, OSError) as error:
        print("logdump: %s" % error, file=sys.stderr)
        return 1
    if "--json" in arguments:
        print(json.dumps(log))
    else:
        show(log)
    return 0


sys.exit(main(sys.argv[1:]))
