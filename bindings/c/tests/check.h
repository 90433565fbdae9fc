/* What the tests share: a check that says where it failed, a small pack, and two clocks that a test owns. */
#ifndef CHECK_H
#define CHECK_H

#include <fallgate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                   \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);        \
            exit(1);                                                                       \
        }                                                                                  \
    } while (0)

#define UNSIGNED FALLGATE_TRUST_UNSIGNED_FOR_DEVELOPMENT

/* Reads need no signal and are cached, writes need one. A rule's name ends with the revision. */
#define PACK(revision)                                                                                            \
    "{\"fallgate\": 1, \"name\": \"test\", \"revision\": " #revision ","                                          \
    " \"schema\": {\"subject\": {\"user\": {\"level\": \"int\", \"tags\": {\"type\": [\"string\"], \"optional\": true}}}}," \
    " \"signals\": {\"idp\": {\"ttl\": \"10s\"}},"                                                                \
    " \"actions\": {\"read\": {\"cache\": {\"allow\": \"1m\", \"deny\": \"1m\"}}, \"write\": {\"requires\": [\"idp\"]}}," \
    " \"rules\": [{\"id\": \"senior-" #revision "\", \"effect\": \"allow\", \"when\": \"subject.level >= 3\"},"   \
    "            {\"id\": \"tell-" #revision "\", \"effect\": \"allow\", \"action\": \"write\","                  \
    "             \"when\": \"subject.level >= 3\","                                                              \
    "             \"obligations\": [{\"id\": \"log\", \"type\": \"audit\", \"properties\": {\"to\": \"file\"}}]}]}"

/* Each pack of the test, by its revision from 1. */
static inline const char *pack_text(unsigned revision) {
    static const char *const packs[] = {PACK(1), PACK(2), PACK(3), PACK(4)};
    return packs[(revision - 1) % 4];
}

/* 2026-01-01T00:00:00Z and some milliseconds, on both clocks. */
static inline fallgate_now at_ms(uint64_t ms) {
    fallgate_now now = {ms * 1000000u, 1767225600000000000 + (int64_t)ms * 1000000};
    return now;
}

static inline fallgate_engine *engine_at(const fallgate_now *now) {
    fallgate_engine *engine = NULL;
    CHECK(fallgate_engine_new(FALLGATE_ABI_VERSION, NULL, &engine, NULL) == FALLGATE_STATUS_OK);
    const char *pack = pack_text(1);
    fallgate_error *error = NULL;
    fallgate_status status = fallgate_engine_activate_document(engine, pack, strlen(pack), UNSIGNED, now, &error);
    if (status != FALLGATE_STATUS_OK) {
        fprintf(stderr, "%s\n", fallgate_error_message(error));
    }
    CHECK(status == FALLGATE_STATUS_OK && error == NULL);
    return engine;
}

#define READ_JSON                                                                                                  \
    "{\"subject\": {\"type\": \"user\", \"id\": \"ann\", \"properties\": {\"level\": 3}},"                         \
    " \"action\": {\"name\": \"read\"}, \"resource\": {\"type\": \"doc\", \"id\": \"1\"}}"

/* The same request in arrays; `level` is the array's to lend. */
static inline fallgate_request request_of(const char *action, const fallgate_attribute *level) {
    fallgate_request request = {
        .subject = {FALLGATE_STR("user"), FALLGATE_STR("ann"), {level, 1}},
        .action = {{action, strlen(action)}, {NULL, 0}},
        .resource = {FALLGATE_STR("doc"), FALLGATE_STR("1"), {NULL, 0}},
    };
    return request;
}

static inline fallgate_attribute level_of(int64_t level) {
    fallgate_attribute attribute = {FALLGATE_STR("level"), {FALLGATE_VALUE_INT, {.integer = level}}};
    return attribute;
}

#endif
