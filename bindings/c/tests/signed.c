/* Signed bundles: the files of bindings/signed, of which each is taken or refused as the table beside them says; then the
 * functions with what they should not get. The folder is the argument. */
#include "check.h"

#define ROOM (1u << 20)

static const char ASK[] = "{\"subject\": {\"type\": \"user\", \"id\": \"ann\"}, \"action\": {\"name\": \"order:read\"},"
                          " \"resource\": {\"type\": \"order\", \"id\": \"17\"}}";

/* 2026-06-01T00:00:00Z and some seconds; the other clock begins at zero. */
static fallgate_now after(unsigned seconds) {
    fallgate_now now = {seconds * UINT64_C(1000000000), 1780272000000000000 + (int64_t)seconds * 1000000000};
    return now;
}

static size_t read_file(const char *folder, const char *name, char *buffer) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    size_t length = fread(buffer, 1, ROOM, file);
    CHECK(length > 0 && length < ROOM && fclose(file) == 0);
    return length;
}

/* An engine that holds the root of the folder. The root's bytes are changed as soon as it is made: it keeps its own. */
static fallgate_engine *rooted(const char *folder, char *buffer) {
    fallgate_config config;
    CHECK(fallgate_config_defaults(&config, sizeof config) == FALLGATE_STATUS_OK);
    config.trust_root_length = read_file(folder, "root.json", buffer);
    config.trust_root = buffer;
    fallgate_engine *engine = NULL;
    CHECK(fallgate_engine_new(FALLGATE_ABI_VERSION, &config, &engine, NULL) == FALLGATE_STATUS_OK);
    memset(buffer, 'x', config.trust_root_length);
    return engine;
}

static void each_is_taken_or_refused_as_the_table_says(const char *folder, char *buffer) {
    fallgate_engine *engine = rooted(folder, buffer);
    char path[1024], line[256], call[16], file[64], becomes[64], reason[64];
    snprintf(path, sizeof path, "%s/expected.txt", folder);
    FILE *table = fopen(path, "r");
    CHECK(table != NULL);
    unsigned lines = 0;
    uint64_t version = 0;
    while (fgets(line, sizeof line, table) != NULL) {
        unsigned long long revision = 0;
        if (line[0] == '#') {
            continue;
        }
        CHECK(sscanf(line, "%15s %63s %63s %llu %63s", call, file, becomes, &revision, reason) == 5);
        size_t length = read_file(folder, file, buffer);
        fallgate_now now = after(lines);
        fallgate_error *error = NULL;
        bool activates = strcmp(call, "activate") == 0;
        CHECK(activates || strcmp(call, "rotate") == 0);
        fallgate_status status = activates ? fallgate_engine_activate_signed(engine, buffer, length, &now, &error)
                                           : fallgate_engine_rotate_trust(engine, buffer, length, &now, &version, &error);
        if (strcmp(fallgate_status_code(status), becomes) != 0) {
            fprintf(stderr, "%s: %s\n", file, fallgate_status_code(status));
        }
        CHECK(strcmp(fallgate_status_code(status), becomes) == 0);
        CHECK((error == NULL) == (status == FALLGATE_STATUS_OK));
        if (error != NULL) {
            CHECK(strcmp(fallgate_error_code(error), becomes) == 0 && fallgate_error_message(error)[0] != '\0');
            fallgate_error_free(&error);
        }
        fallgate_bundle active;
        CHECK(fallgate_engine_bundle(engine, &active) == FALLGATE_STATUS_OK && active.revision == revision);
        fallgate_decision decision;
        bool allowed = fallgate_engine_decide_json(engine, ASK, sizeof ASK - 1, &now, &decision, NULL);
        CHECK(strcmp(decision.reason_code, reason) == 0 && allowed == (decision.reason >= 100));
        lines++;
    }
    CHECK(fclose(table) == 0 && lines > 30 && version == 2);
    CHECK(fallgate_engine_trust_version(engine, &version) == FALLGATE_STATUS_OK && version == 2);

    /* No other way leads around the root. */
    fallgate_now now = after(lines);
    size_t length = read_file(folder, "bare-8.json", buffer);
    CHECK(fallgate_engine_activate_bundle(engine, buffer, length, UNSIGNED, &now, NULL) == FALLGATE_STATUS_UNSIGNED);
    CHECK(fallgate_engine_activate_document(engine, buffer, length, UNSIGNED, &now, NULL) == FALLGATE_STATUS_UNSIGNED);
    CHECK(fallgate_engine_free(&engine) == FALLGATE_STATUS_OK);
}

static void what_is_no_root_makes_no_engine(const char *folder, char *buffer) {
    fallgate_config config;
    CHECK(fallgate_config_defaults(&config, sizeof config) == FALLGATE_STATUS_OK);
    CHECK(config.trust_root == NULL && config.trust_root_length == 0);
    size_t length = read_file(folder, "root.json", buffer);
    fallgate_engine *engine = NULL;
    fallgate_error *error = NULL;
    config.trust_root = buffer;
    /* An empty file is not the absence of a root. */
    for (size_t cut = 0; cut < length; cut += 97) {
        config.trust_root_length = cut;
        CHECK(fallgate_engine_new(FALLGATE_ABI_VERSION, &config, &engine, &error) == FALLGATE_STATUS_SYNTAX);
        CHECK(engine == NULL && error != NULL && fallgate_error_free(&error) == FALLGATE_STATUS_OK);
    }
    config.trust_root = NULL;
    config.trust_root_length = length;
    CHECK(fallgate_engine_new(FALLGATE_ABI_VERSION, &config, &engine, NULL) == FALLGATE_STATUS_NULL_POINTER);
    config.trust_root = buffer;
    config.trust_root_length = SIZE_MAX;
    CHECK(fallgate_engine_new(FALLGATE_ABI_VERSION, &config, &engine, NULL) == FALLGATE_STATUS_TOO_LONG);
    config.trust_root_length = read_file(folder, "root-2.json", buffer);
    CHECK(fallgate_engine_new(FALLGATE_ABI_VERSION, &config, &engine, NULL) == FALLGATE_STATUS_UNKNOWN_FIELD);
    CHECK(engine == NULL);
}

static void what_should_not_be_passed(const char *folder, char *buffer) {
    fallgate_engine *engine = rooted(folder, buffer), *none = NULL;
    fallgate_now now = after(0);
    size_t length = read_file(folder, "active-7.json", buffer);
    CHECK(fallgate_engine_activate_signed(NULL, buffer, length, &now, NULL) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_activate_signed(engine, NULL, 5, &now, NULL) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_activate_signed(engine, buffer, 0, &now, NULL) == FALLGATE_STATUS_SYNTAX);
    CHECK(fallgate_engine_activate_signed(engine, NULL, 0, &now, NULL) == FALLGATE_STATUS_SYNTAX);
    CHECK(fallgate_engine_activate_signed(engine, buffer, SIZE_MAX, &now, NULL) == FALLGATE_STATUS_TOO_LONG);
    CHECK(fallgate_engine_activate_signed(engine, "\xff\xfe", 2, &now, NULL) == FALLGATE_STATUS_SYNTAX);
    CHECK(fallgate_engine_rotate_trust(NULL, buffer, length, &now, NULL, NULL) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_rotate_trust(engine, NULL, 5, &now, NULL, NULL) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_rotate_trust(engine, buffer, SIZE_MAX, &now, NULL, NULL) == FALLGATE_STATUS_TOO_LONG);
    uint64_t versions[2] = {77, 77};
    uint64_t *odd = (uint64_t *)(void *)((char *)versions + 1);
    CHECK(fallgate_engine_rotate_trust(engine, buffer, length, &now, odd, NULL) == FALLGATE_STATUS_MISALIGNED);
    CHECK(fallgate_engine_rotate_trust(engine, buffer, length, &now, versions, NULL) == FALLGATE_STATUS_WRONG_PAYLOAD_TYPE);
    CHECK(versions[0] == 77);
    CHECK(fallgate_engine_trust_version(NULL, versions) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_trust_version(engine, NULL) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_trust_version(engine, versions) == FALLGATE_STATUS_OK && versions[0] == 1);
    fallgate_bundle active;
    CHECK(fallgate_engine_bundle(engine, &active) == FALLGATE_STATUS_NONE);

    /* Each byte changed in turn: never taken. */
    for (size_t at = 0; at < length; at++) {
        buffer[at] = (char)(buffer[at] ^ 1);
        CHECK(fallgate_engine_activate_signed(engine, buffer, length, &now, NULL) != FALLGATE_STATUS_OK);
        buffer[at] = (char)(buffer[at] ^ 1);
    }
    CHECK(fallgate_engine_bundle(engine, &active) == FALLGATE_STATUS_NONE);
    CHECK(fallgate_engine_activate_signed(engine, buffer, length, &now, NULL) == FALLGATE_STATUS_OK);

    /* Without a root nothing is believed for its signature, and nothing is unsigned by leaving something out. */
    fallgate_error *error = NULL;
    CHECK(fallgate_engine_new(FALLGATE_ABI_VERSION, NULL, &none, NULL) == FALLGATE_STATUS_OK);
    CHECK(fallgate_engine_activate_signed(none, buffer, length, &now, &error) == FALLGATE_STATUS_UNTRUSTED);
    CHECK(strstr(fallgate_error_message(error), "trust_root") != NULL);
    fallgate_error_free(&error);
    CHECK(fallgate_engine_rotate_trust(none, buffer, length, &now, versions, NULL) == FALLGATE_STATUS_UNTRUSTED);
    CHECK(fallgate_engine_trust_version(none, versions) == FALLGATE_STATUS_NONE && versions[0] == 1);
    fallgate_engine_free(&none);
    fallgate_engine_free(&engine);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    char *buffer = malloc(ROOM);
    CHECK(buffer != NULL);
    each_is_taken_or_refused_as_the_table_says(argv[1], buffer);
    what_is_no_root_makes_no_engine(argv[1], buffer);
    what_should_not_be_passed(argv[1], buffer);
    free(buffer);
    puts("signed bundles are taken and refused as the table says");
    return 0;
}
