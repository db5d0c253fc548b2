/* SPDX-License-Identifier: MIT */
/*
 * Encoding and decoding of intents, the list of yards and the identity.
 *
 * Every file is a header and a body. The header: magic (8), version (4), CRC-32C (4) of the whole
 * file with this field zero, size of the whole file (8). All numbers are little-endian; a text is
 * its length (4) and its bytes.
 */
#include "rm/file/intent.h"

#include <stdlib.h>
#include <string.h>

static const char magic_intent[8] = {'K', 'T', 'M', 'F', 'I', 'N', 'T', 'E'};
static const char magic_yards[8] = {'K', 'T', 'M', 'F', 'Y', 'A', 'R', 'D'};
static const char magic_identity[8] = {'K', 'T', 'M', 'F', 'I', 'D', 'E', 'N'};

enum {
    HEADER_VERSION = 8,
    HEADER_CRC = 12,
    HEADER_FILE_SIZE = 16,
};

enum { OBJECT_STAGED = 1 };
enum { CHAIN_HIDDEN = 1 };
enum { ATTRIBUTE_MODE = 1, ATTRIBUTE_OWNER = 2 };

/* ---- writing ---- */

struct writer {
    uint8_t *at;
    size_t size, room;
    bool is_out_of_memory;
    uint8_t nowhere[32]; /* takes small fields then */
};

static uint8_t *
extend(struct writer *writer, size_t size)
{
    CHECK(size <= sizeof(writer->nowhere) || !writer->is_out_of_memory);
    if (writer->is_out_of_memory)
        return writer->nowhere;
    if (writer->room - writer->size < size) {
        size_t room = (writer->room + size) * 2;
        uint8_t *more = realloc(writer->at, room);

        if (!more) {
            writer->is_out_of_memory = true;
            return writer->nowhere;
        }
        writer->at = more;
        writer->room = room;
    }
    writer->size += size;
    return writer->at + writer->size - size;
}

static void
put32(struct writer *writer, uint32_t value)
{
    le32_put(extend(writer, 4), value);
}

static void
put64(struct writer *writer, uint64_t value)
{
    le64_put(extend(writer, 8), value);
}

static void
put_guid(struct writer *writer, const GUID *guid)
{
    memcpy(extend(writer, sizeof(*guid)), guid, sizeof(*guid));
}

static void
put_text(struct writer *writer, const char *text)
{
    struct bytes content = bytes_of(text, strlen(text));
    uint8_t *into;

    put32(writer, (uint32_t)content.size);
    if (writer->is_out_of_memory)
        return;
    into = extend(writer, content.size);
    if (!writer->is_out_of_memory)
        memcpy(into, content.at, content.size);
}

static void
put_header(struct writer *writer, const char magic[8])
{
    uint8_t *at = extend(writer, INTENT_HEADER_SIZE);

    memset(at, 0, INTENT_HEADER_SIZE);
    memcpy(at, magic, 8);
    le32_put(at + HEADER_VERSION, INTENT_VERSION);
}

static void
seal(uint8_t *at, size_t size)
{
    le64_put(at + HEADER_FILE_SIZE, size);
    le32_put(at + HEADER_CRC, 0);
    le32_put(at + HEADER_CRC, crc32c(0, at, size));
}

static NTSTATUS
finish(struct writer *writer, uint8_t **at, size_t *size)
{
    if (writer->is_out_of_memory) {
        free(writer->at);
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    seal(writer->at, writer->size);
    *at = writer->at;
    *size = writer->size;
    return STATUS_SUCCESS;
}

static void
put_dir(struct writer *writer, const struct plan_dir *dir)
{
    put32(writer, dir->inside);
    put64(writer, dir->inode);
    put64(writer, (uint64_t)dir->born);
    put_text(writer, dir->path);
}

static void
put_object(struct writer *writer, const struct plan_object *object)
{
    put32(writer, object->kind);
    put32(writer, object->fate);
    put32(writer, object->is_staged ? OBJECT_STAGED : 0);
    put64(writer, object->inode);
    put64(writer, (uint64_t)object->born);
    put64(writer, object->version.size);
    put64(writer, (uint64_t)object->version.written);
    put32(writer, object->version.mode);
    put32(writer, object->version.owner);
    put32(writer, object->version.group);
    put64(writer, object->fingerprint);
}

static void
put_chain(struct writer *writer, const struct plan_chain *chain)
{
    put32(writer, chain->lead);
    put32(writer, chain->is_hidden ? CHAIN_HIDDEN : 0);
    put32(writer, chain->count);
    for (uint32_t i = 0; i <= chain->count; i++)
        put32(writer, chain->slots[i]);
    for (uint32_t i = 0; i < chain->count; i++)
        put32(writer, chain->objects[i]);
}

static void
put_attribute(struct writer *writer, const struct plan_attribute *attribute)
{
    put32(writer, attribute->from);
    put32(writer, attribute->to);
    put32(writer, attribute->kind);
    put32(writer, (attribute->sets_mode ? ATTRIBUTE_MODE : 0) |
                      (attribute->sets_owner ? ATTRIBUTE_OWNER : 0));
    put64(writer, attribute->inode);
    put64(writer, (uint64_t)attribute->born);
    put32(writer, attribute->mode);
    put32(writer, attribute->owner);
    put32(writer, attribute->group);
}

NTSTATUS
intent_encode(const struct plan *plan, uint8_t **at, size_t *size)
{
    struct writer writer = {0};

    put_header(&writer, magic_intent);
    put_guid(&writer, &plan->transaction);
    put_guid(&writer, &plan->enlistment);
    put_guid(&writer, &plan->manager);
    put64(&writer, plan->incarnation);
    put32(&writer, plan->dir_count);
    put32(&writer, plan->slot_count);
    put32(&writer, plan->object_count);
    put32(&writer, plan->chain_count);
    put32(&writer, plan->attribute_count);
    for (uint32_t i = 0; i < plan->dir_count; i++)
        put_dir(&writer, &plan->dirs[i]);
    for (uint32_t i = 0; i < plan->slot_count; i++) {
        put32(&writer, plan->slots[i].dir);
        put_text(&writer, plan->slots[i].name);
    }
    for (uint32_t i = 0; i < plan->object_count; i++)
        put_object(&writer, &plan->objects[i]);
    for (uint32_t i = 0; i < plan->chain_count; i++)
        put_chain(&writer, &plan->chains[i]);
    for (uint32_t i = 0; i < plan->attribute_count; i++)
        put_attribute(&writer, &plan->attributes[i]);
    return finish(&writer, at, size);
}

NTSTATUS
yards_encode(const GUID *identity, const struct yard_line *lines, size_t count, uint8_t **at,
             size_t *size)
{
    struct writer writer = {0};

    put_header(&writer, magic_yards);
    put_guid(&writer, identity);
    put32(&writer, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        put64(&writer, lines[i].inode);
        put64(&writer, (uint64_t)lines[i].born);
        put32(&writer, lines[i].mount_size);
        put_text(&writer, lines[i].path);
    }
    return finish(&writer, at, size);
}

void
identity_encode(const GUID *identity, uint64_t incarnation, uint8_t into[IDENTITY_SIZE])
{
    memset(into, 0, IDENTITY_SIZE);
    memcpy(into, magic_identity, 8);
    le32_put(into + HEADER_VERSION, INTENT_VERSION);
    memcpy(into + INTENT_HEADER_SIZE, identity, sizeof(*identity));
    le64_put(into + INTENT_HEADER_SIZE + sizeof(*identity), incarnation);
    seal(into, IDENTITY_SIZE);
}

/* ---- reading ---- */

/* What is still to be read. Reading past the end sets 'is_short' and gives zeros. */
struct reader {
    const uint8_t *at;
    size_t size;
    bool is_short;
};

static const uint8_t *
take(struct reader *reader, size_t size)
{
    static const uint8_t zeros[64];

    if (reader->is_short || reader->size < size) {
        reader->is_short = true;
        return size <= sizeof(zeros) ? zeros : NULL;
    }
    reader->at += size;
    reader->size -= size;
    return reader->at - size;
}

static uint32_t
get32(struct reader *reader)
{
    return le32_get(take(reader, 4));
}

static uint64_t
get64(struct reader *reader)
{
    return le64_get(take(reader, 8));
}

static GUID
get_guid(struct reader *reader)
{
    GUID guid;

    memcpy(&guid, take(reader, sizeof(guid)), sizeof(guid));
    return guid;
}

/* Allocates *out. A NUL inside would be a shorter name than was meant. */
static NTSTATUS
get_text(struct reader *reader, char **out)
{
    uint32_t size = get32(reader);
    const uint8_t *at = reader->size < size ? NULL : take(reader, size);
    char *text;

    if (!at || reader->is_short || memchr(at, '\0', size))
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    text = malloc((size_t)size + 1);
    if (!text)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    memcpy(text, at, size);
    text[size] = '\0';
    *out = text;
    return STATUS_SUCCESS;
}

/* Verifies the header and leaves the body in 'reader'. */
static NTSTATUS
open_body(struct bytes bytes, const char magic[8], struct reader *reader)
{
    uint8_t header[INTENT_HEADER_SIZE];
    uint32_t crc;

    if (bytes.size < INTENT_HEADER_SIZE || memcmp(bytes.at, magic, 8) != 0 ||
        le32_get(bytes.at + HEADER_VERSION) != INTENT_VERSION ||
        le64_get(bytes.at + HEADER_FILE_SIZE) != bytes.size)
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    memcpy(header, bytes.at, sizeof(header));
    le32_put(header + HEADER_CRC, 0);
    crc = crc32c(0, header, sizeof(header));
    crc = crc32c(crc, bytes.at + sizeof(header), bytes.size - sizeof(header));
    if (crc != le32_get(bytes.at + HEADER_CRC))
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    *reader = (struct reader){.at = bytes.at + sizeof(header), .size = bytes.size - sizeof(header)};
    return STATUS_SUCCESS;
}

static NTSTATUS
get_dir(struct reader *reader, struct plan *plan)
{
    uint32_t inside = get32(reader), index;
    struct tree_info info = {.inode = get64(reader)};
    NTSTATUS status;
    char *path;

    info.born = (int64_t)get64(reader);
    TRY(get_text(reader, &path));
    status = plan_add_dir(plan, inside, path, &info, &index);
    free(path);
    return status;
}

static NTSTATUS
get_slot(struct reader *reader, struct plan *plan)
{
    uint32_t dir = get32(reader), index;
    NTSTATUS status;
    char *name;

    TRY(get_text(reader, &name));
    status = plan_add_slot(plan, dir, name, &index);
    free(name);
    return status;
}

static NTSTATUS
get_object(struct reader *reader, struct plan *plan)
{
    uint32_t kind = get32(reader), fate = get32(reader), flags = get32(reader), index;
    struct plan_object object = {.kind = kind, .fate = fate, .is_staged = flags & OBJECT_STAGED};

    object.inode = get64(reader);
    object.born = (int64_t)get64(reader);
    object.version.size = get64(reader);
    object.version.written = (int64_t)get64(reader);
    object.version.mode = get32(reader);
    object.version.owner = get32(reader);
    object.version.group = get32(reader);
    object.fingerprint = get64(reader);
    if (reader->is_short || kind <= TREE_NOTHING || kind > TREE_OTHER || fate > PLAN_REMOVED_TREE ||
        flags > OBJECT_STAGED)
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    return plan_add_object(plan, &object, &index);
}

static NTSTATUS
get_chain(struct reader *reader, struct plan *plan)
{
    uint32_t lead = get32(reader), flags = get32(reader), count = get32(reader), index;
    struct plan_chain *chain;

    if (reader->is_short || flags > CHAIN_HIDDEN || count > reader->size / 8)
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    TRY(plan_add_chain(plan, count, &index));
    chain = &plan->chains[index];
    chain->lead = lead;
    chain->is_hidden = flags & CHAIN_HIDDEN;
    for (uint32_t i = 0; i <= count; i++)
        chain->slots[i] = get32(reader);
    for (uint32_t i = 0; i < count; i++)
        chain->objects[i] = get32(reader);
    return STATUS_SUCCESS;
}

static NTSTATUS
get_attribute(struct reader *reader, struct plan *plan)
{
    struct plan_attribute attribute = {.from = get32(reader)};
    uint32_t kind, flags;

    attribute.to = get32(reader);
    kind = get32(reader);
    flags = get32(reader);
    attribute.inode = get64(reader);
    attribute.born = (int64_t)get64(reader);
    attribute.mode = get32(reader);
    attribute.owner = get32(reader);
    attribute.group = get32(reader);
    if (reader->is_short || kind <= TREE_NOTHING || kind > TREE_OTHER ||
        flags > (ATTRIBUTE_MODE | ATTRIBUTE_OWNER))
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    attribute.kind = kind;
    attribute.sets_mode = flags & ATTRIBUTE_MODE;
    attribute.sets_owner = flags & ATTRIBUTE_OWNER;
    return plan_add_attribute(plan, &attribute);
}

/* 'count' records; each is at least one byte, so a count cannot make us work longer than the file.
 */
static NTSTATUS
get_all(struct reader *reader, struct plan *plan, uint32_t count,
        NTSTATUS (*get)(struct reader *, struct plan *))
{
    if (count > reader->size)
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    for (uint32_t i = 0; i < count; i++)
        TRY(get(reader, plan));
    return STATUS_SUCCESS;
}

NTSTATUS
intent_decode(struct bytes bytes, struct plan **out)
{
    owned(plan_destroy) struct plan *plan = NULL;
    struct reader reader;
    uint32_t dirs, slots, objects, chains, attributes;

    TRY(open_body(bytes, magic_intent, &reader));
    TRY(plan_create(&plan));
    plan->transaction = get_guid(&reader);
    plan->enlistment = get_guid(&reader);
    plan->manager = get_guid(&reader);
    plan->incarnation = get64(&reader);
    dirs = get32(&reader);
    slots = get32(&reader);
    objects = get32(&reader);
    chains = get32(&reader);
    attributes = get32(&reader);
    TRY(get_all(&reader, plan, dirs, get_dir));
    TRY(get_all(&reader, plan, slots, get_slot));
    TRY(get_all(&reader, plan, objects, get_object));
    TRY(get_all(&reader, plan, chains, get_chain));
    TRY(get_all(&reader, plan, attributes, get_attribute));
    if (reader.is_short || reader.size > 0)
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    TRY(plan_link(plan));
    *out = give(plan);
    return STATUS_SUCCESS;
}

NTSTATUS
yards_decode(struct bytes bytes, GUID *identity,
             NTSTATUS (*each)(void *context, const struct yard_line *line), void *context)
{
    struct reader reader;
    uint32_t count;

    TRY(open_body(bytes, magic_yards, &reader));
    *identity = get_guid(&reader);
    count = get32(&reader);
    for (uint32_t i = 0; i < count; i++) {
        struct yard_line line = {.inode = get64(&reader)};
        NTSTATUS status;
        char *path;

        line.born = (int64_t)get64(&reader);
        line.mount_size = get32(&reader);
        TRY(get_text(&reader, &path)); /* fails where the bytes end, whatever the count says */
        line.path = path;
        status = path[0] == '/' && line.mount_size > 0 && line.mount_size <= strlen(path)
                     ? each(context, &line)
                     : status_raise(STATUS_RM_METADATA_CORRUPT);
        free(path);
        TRY(status);
    }
    return reader.is_short || reader.size > 0 ? status_raise(STATUS_RM_METADATA_CORRUPT)
                                              : STATUS_SUCCESS;
}

NTSTATUS
identity_decode(struct bytes bytes, GUID *identity, uint64_t *incarnation)
{
    struct reader reader;

    TRY(open_body(bytes, magic_identity, &reader));
    *identity = get_guid(&reader);
    *incarnation = get64(&reader);
    if (reader.is_short || reader.size > 0)
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    return STATUS_SUCCESS;
}
