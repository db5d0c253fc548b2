#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints a log - metadata, blocks, records - from its files alone.

Written from docs/format/log.md and from nothing else, so that the document and the library check
each other. Exit status: 0 whole, 1 damaged or no log, 2 wrong usage.

    logdump.py [--json] PATH        PATH with or without ".blf"
"""
import json
import os
import sys
import uuid
from struct import unpack_from

NONE = 0xFFFFFFFF << 32
COPY = 638976
TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    TABLE.append(byte)


def need(fact, what):
    if not fact:
        raise ValueError(what)


def crc(data, hole=None):
    value = 0xFFFFFFFF
    for byte in data if hole is None else data[:hole] + bytes(4) + data[hole + 4:]:
        value = value >> 8 ^ TABLE[(value ^ byte) & 255]
    return value ^ 0xFFFFFFFF or 0xFFFFFFFF


def number(data, at):
    return unpack_from("<I", data, at)[0]


def lsn(value):
    return None if value == NONE else "%x:%x:%d" % (value >> 32, value & 0xFFFFFE00, value & 511)


def whole_copy(data):
    size = number(data, 16)
    good = data[:8] == b"KTMBASE\x1a" and 512 <= size <= COPY and crc(data[:size], 20) == number(data, 20)
    return data[:size] if good else None


def read_base(path):
    with open(path, "rb") as file:
        data = file.read(2 * COPY + 1)
    need(len(data) == 2 * COPY, "base file of the wrong size")
    copies = sorted(filter(None, map(whole_copy, (data[:COPY], data[COPY:]))),
                    key=lambda copy: unpack_from("<Q", copy, 24))
    need(copies, "no whole copy of the metadata")
    copy = copies[-1]
    need(copies[0] == copy or copies[0][24:32] != copy[24:32], "two copies of one generation")
    names = ("version features size crc generation guid kind sector_size container_size streams "
             "containers next_physical flags epoch mark last_block archive_tail").split()
    base = dict(zip(names, unpack_from("<IIIIQ16sIIQIIIIQQQQ", copy, 8)))
    need(base["version"] == 1 and base["features"] == 0, "unknown version or feature")
    need(base["kind"] == 1 and base["streams"] == 1 and base["sector_size"] in (512, 4096) and
         base["size"] == 512 * (2 + base["containers"]) <= COPY, "metadata that cannot be meant")
    need(unpack_from("<IIQ", copy, 512) == (1, 0, 0), "stream entry")
    base["base"], base["last"], base["restart"] = unpack_from("<QQQ", copy, 528)
    base["table"] = []
    for at in range(1024, base["size"], 512):
        kind, physical, logical, state, end, length = unpack_from("<IIIIQI", copy, at)
        need(kind == 2 and state in (2, 4) and length <= 480, "container entry")
        base["table"].append({"name": os.fsdecode(copy[at + 32:at + 32 + length]), "end": end,
                              "physical": physical, "logical": logical, "state": state})
    return base


def read_container(base, entry, directory):
    with open(os.path.join(directory, entry["name"]), "rb") as file:
        data = file.read()
    sector = base["sector_size"]
    need(len(data) == base["container_size"] and data[:8] == b"KTMCONT\x1a" and
         number(data, 12) == crc(data[:sector], 12) and unpack_from("<I", data, 8) == (1,) and
         unpack_from("<16sIIQ", data, 16) == (base["guid"], entry["physical"], sector, len(data)),
         "container %s: not whole, or not this one" % entry["name"])
    return data


def limit(base):
    return min(base["container_size"], 2 ** 32 - base["sector_size"])


def read_header(base, data, address):
    """The header of the block at that address, or None."""
    head = data[address & 0xFFFFFFFF:][:96]
    if head[:4] != b"KLB\x1a" or len(head) < 96 or crc(head[:88]) != number(head, 88):
        return None
    names = "version records guid lsn previous durable epoch size used".split()
    block = dict(zip(names, unpack_from("<HH16sQQQQII", head, 4)))
    good = (block["version"] == 1 and block["guid"] == base["guid"] and block["lsn"] == address and
            block["size"] % base["sector_size"] == 0 and 1 <= block["records"] <= 512 and
            96 < block["used"] <= block["size"] <= limit(base) - (address & 0xFFFFFFFF))
    return block if good else None


def read_block(base, data, address, oldest):
    block = read_header(base, data, address)
    if not block or not oldest <= block["epoch"] <= base["epoch"]:
        return None
    raw, offset, block["list"] = data[address & 0xFFFFFFFF:][:block["size"]], 96, []
    if crc(raw, 92) != number(raw, 92):
        return None
    for which in range(block["records"]):
        if offset + 24 > block["used"]:
            return None
        kind, stream, flags, length, previous, undo = unpack_from("<BBHIQQ", raw, offset)
        if kind not in (1, 2) or stream or flags:
            return None
        block["list"].append({"lsn": address + which, "type": (0, "data", "restart")[kind],
                              "previous": previous, "undo_next": undo,
                              "data": raw[offset + 24:offset + 24 + length].hex()})
        offset += 24 + (length + 7) // 8 * 8
    return block if offset == block["used"] else None


def start(base, files):
    """Where reading begins, and the block before: at the base, or at the first block of its
    container when the base is no record's LSN."""
    if base["base"] == base["last"]:
        return base["mark"], base["last_block"]
    block = read_block(base, files[0], base["base"] & ~511, 0)
    if block and base["base"] - block["lsn"] < block["records"]:
        return block["lsn"], block["previous"]
    return base["base"] >> 32 << 32 | base["sector_size"], None


def walk(base, files):
    """The blocks from the base on, and the end: below the mark they must be there, behind it they
    may be."""
    table, sector, blocks = base["table"], base["sector_size"], []
    address, previous = start(base, files)
    index = (address >> 32) - table[0]["logical"]
    while address < base["mark"]:
        if table[index]["end"] and address & 0xFFFFFFFF >= table[index]["end"]:
            index, address = index + 1, (address >> 32) + 1 << 32 | sector
            continue
        block = read_block(base, files[index], address, 0)
        need(block and previous in (None, block["previous"]),
             "block %s below the mark is not whole" % lsn(address))
        blocks.append(block)
        previous, address = address, address + block["size"]
    while not base["flags"] & 1:
        for at, turn in (address, index), ((address >> 32) + 1 << 32 | sector, index + 1):
            block = turn < len(files) and read_block(base, files[turn], at, base["epoch"])
            if block and block["previous"] == previous:
                break
        else:
            look_ahead(base, files, index, address)
            break
        table[turn].update(logical=at >> 32, state=4)
        blocks.append(block)
        index, previous, address = turn, at, at + block["size"]
    return blocks, address


def look_ahead(base, files, index, end):
    """Damage, if a block behind the end says that the log was durable beyond it."""
    sector = base["sector_size"]
    for turn, data in enumerate(files):
        first, = unpack_from("<Q", data, sector + 24)
        at, logical = sector, first >> 32
        if turn == index:
            at, logical = end & 0xFFFFFFFF, end >> 32
        elif first >> 32 > end >> 32 and read_header(base, data, first):
            need(base["table"][turn]["state"] == 2, "metadata older than what was lost")
        elif turn == index + 1:
            logical = (end >> 32) + 1
        else:
            continue
        for at in range(at, limit(base), sector):
            block = data[at:at + 4] == b"KLB\x1a" and read_header(base, data, logical << 32 | at)
            need(not block or block["epoch"] < base["epoch"] or block["durable"] <= end,
                 "block %s was durable once and is gone" % lsn(end))


def load(path):
    path = path if path.endswith(".blf") else path + ".blf"
    base = read_base(path)
    files = [read_container(base, entry, os.path.dirname(path)) for entry in base["table"]]
    blocks, base["end"] = walk(base, files) if files else ([], 0)
    records = [record for block in blocks for record in block.pop("list")
               if record["lsn"] >= base["base"]]
    base["last"] = records[-1]["lsn"] + 1 if records else base["last"]
    base["guid"] = str(uuid.UUID(bytes_le=base["guid"]))
    for part in [base] + blocks + records:
        for key in ("lsn previous undo_next durable mark last_block archive_tail base last restart "
                    "end").split():
            if key in part:
                part[key] = lsn(part[key])
    for block in blocks:
        del block["guid"]
    return {"metadata": base, "blocks": blocks, "records": records}


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
    except (ValueError, OSError) as error:
        print("logdump: %s" % error, file=sys.stderr)
        return 1
    print(json.dumps(log)) if "--json" in arguments else show(log)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
