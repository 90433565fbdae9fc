/* Texts, values and requests as lines, so that a C program needs no reader of JSON.
 *
 * Values: `n`; `b 0`; `i -1`; `u 1`; `d 1e0`; `s LENGTH` and so many bytes in the next line; `l COUNT` and the values;
 * `m COUNT` and for each a text and a value. A request: the subject's type, id and map, the action's name and map, the
 * resource as the subject, the context's map. generate/script.rs writes them. */
#ifndef SCRIPT_H
#define SCRIPT_H

#include "check.h"

#include <errno.h>
#include <inttypes.h>

/* What one request needs is freed with it. */
static void **blocks;
static size_t blocks_used, blocks_room;

static void *block(size_t size) {
    if (blocks_used == blocks_room) {
        blocks_room = 2 * blocks_room + 64;
        blocks = realloc(blocks, blocks_room * sizeof *blocks);
        CHECK(blocks != NULL);
    }
    void *made = calloc(1, size == 0 ? 1 : size);
    CHECK(made != NULL);
    blocks[blocks_used++] = made;
    return made;
}

static inline void free_blocks(void) {
    while (blocks_used > 0) {
        free(blocks[--blocks_used]);
    }
}

static char line[256];

static bool read_line(void) {
    if (fgets(line, sizeof line, stdin) == NULL) {
        return false;
    }
    size_t length = strlen(line);
    CHECK(length > 0 && line[length - 1] == '\n');
    line[length - 1] = '\0';
    return true;
}

static inline bool is(const char *word) { return strcmp(line, word) == 0; }

static uint64_t number_behind(const char *text) {
    errno = 0;
    char *end = NULL;
    uint64_t number = strtoumax(text, &end, 10);
    CHECK(errno == 0 && end != text && *end == '\0');
    return number;
}

/* The bytes of a text whose `s LENGTH` is in the line. */
static fallgate_str rest_of_text(void) {
    CHECK(line[0] == 's' && line[1] == ' ');
    size_t length = number_behind(line + 2);
    char *data = block(length);
    CHECK(fread(data, 1, length, stdin) == length && getchar() == '\n');
    fallgate_str text = {data, length};
    return text;
}

static fallgate_str read_text(void) {
    CHECK(read_line());
    return rest_of_text();
}

static fallgate_map rest_of_map(void);

static fallgate_value read_value(void) {
    CHECK(read_line());
    fallgate_value value = {FALLGATE_VALUE_NULL, {.natural = 0}};
    switch (line[0]) {
    case 'n': break;
    case 'b':
        value.kind = FALLGATE_VALUE_BOOL;
        value.of.boolean = (uint8_t)number_behind(line + 2);
        break;
    case 'i':
        value.kind = FALLGATE_VALUE_INT;
        errno = 0;
        value.of.integer = strtoimax(line + 2, NULL, 10);
        CHECK(errno == 0);
        break;
    case 'u':
        value.kind = FALLGATE_VALUE_UINT;
        value.of.natural = number_behind(line + 2);
        break;
    case 'd':
        value.kind = FALLGATE_VALUE_DOUBLE;
        value.of.number = strtod(line + 2, NULL);
        break;
    case 's':
        value.kind = FALLGATE_VALUE_TEXT;
        value.of.text = rest_of_text();
        break;
    case 'l': {
        value.kind = FALLGATE_VALUE_LIST;
        size_t count = number_behind(line + 2);
        fallgate_value *items = block(count * sizeof *items);
        for (size_t i = 0; i < count; i++) {
            items[i] = read_value();
        }
        value.of.list.items = items;
        value.of.list.count = count;
        break;
    }
    case 'm':
        value.kind = FALLGATE_VALUE_MAP;
        value.of.map = rest_of_map();
        break;
    default: CHECK(!"a value");
    }
    return value;
}

/* The entries of a map whose `m COUNT` is in the line. */
static fallgate_map rest_of_map(void) {
    CHECK(line[0] == 'm' && line[1] == ' ');
    size_t count = number_behind(line + 2);
    fallgate_attribute *entries = block(count * sizeof *entries);
    for (size_t i = 0; i < count; i++) {
        entries[i].name = read_text();
        entries[i].value = read_value();
    }
    fallgate_map map = {entries, count};
    return map;
}

static fallgate_attributes read_attributes(void) {
    CHECK(read_line());
    fallgate_map map = rest_of_map();
    fallgate_attributes attributes = {map.entries, map.count};
    return attributes;
}

static fallgate_party read_party(void) {
    fallgate_party party;
    party.party_type = read_text();
    party.id = read_text();
    party.properties = read_attributes();
    return party;
}

static inline fallgate_request read_request(void) {
    fallgate_request request;
    request.subject = read_party();
    request.action.name = read_text();
    request.action.properties = read_attributes();
    request.resource = read_party();
    request.context = read_attributes();
    return request;
}

#endif
