/* Replays the corpus of all languages: reads calls from standard input, answers each decision with its JSON on a
 * line, and each operation with its outcome or the code of why it was not done.
 *
 * What stands in a line, and behind it: `bundle` and a text; `engine`, a fresh one, the key of its state in hexadecimal,
 * its trust root and its name; `restart`, another one with the same, and its name; `at MONOTONIC WALL`; `activate`;
 * `advance`; `anchor`; `observe STATUS AT` (AT is `-` for now) and a text; `operate` and a text; `json` and a text;
 * `arrays` and a request. script.h has the form of texts and requests. generate/corpus.rs writes the lines, and compares the answers. */
#include "script.h"

static fallgate_engine *engine;
static fallgate_details *details;
static fallgate_now now;
static fallgate_config config;

/* The struct and the JSON must say the same; the JSON is the answer. */
static void answer(fallgate_effect effect, const fallgate_decision *decision) {
    static char text[1 << 20];
    size_t needed = fallgate_details_json(details, text, sizeof text);
    CHECK(needed > 0 && needed < sizeof text);
    CHECK(effect == decision->effect && decision->status == FALLGATE_STATUS_OK);
    CHECK((strstr(text, "\"decision\":true") != NULL) == (effect == FALLGATE_EFFECT_ALLOW));
    CHECK(strstr(text, decision->reason_code) != NULL && strstr(text, decision->id) != NULL);
    CHECK(strstr(text, decision->rule) != NULL && strstr(text, decision->bundle) != NULL);
    CHECK(strstr(text, decision->posture) != NULL && strstr(text, decision->override_id) != NULL);
    CHECK((decision->override_id[0] != '\0') == (decision->reason == FALLGATE_REASON_ALLOWED_BY_OVERRIDE));
    puts(text);
}

static void observe(void) {
    char at[32];
    unsigned status = 0;
    CHECK(sscanf(line, "observe %u %31s", &status, at) == 2);
    fallgate_str signal = read_text();
    uint64_t observed_at = strcmp(at, "-") == 0 ? 0 : number_behind(at);
    /* What is not taken is no error of the corpus: the decisions show it. */
    fallgate_status taken = fallgate_engine_observe(engine, signal.data, signal.length, status,
                                                    strcmp(at, "-") == 0 ? NULL : &observed_at, &now);
    CHECK(taken == FALLGATE_STATUS_OK || taken == FALLGATE_STATUS_OBSERVATION_OLDER ||
          taken == FALLGATE_STATUS_OBSERVATION_FUTURE || taken == FALLGATE_STATUS_UNKNOWN_SIGNAL ||
          taken == FALLGATE_STATUS_NOT_OBSERVABLE);
}

/* Ends the engine, and begins with another one that is called as the next text says. */
static void begin(void) {
    fallgate_str instance = read_text();
    CHECK(instance.length < sizeof config.instance);
    memset(config.instance, 0, sizeof config.instance);
    memcpy(config.instance, instance.data, instance.length);
    CHECK(fallgate_engine_free(&engine) == FALLGATE_STATUS_OK);
    CHECK(fallgate_engine_new(FALLGATE_ABI_VERSION, &config, &engine, NULL) == FALLGATE_STATUS_OK);
}

/* Reads a key from the next text, its hexadecimal digits. */
static void read_key(uint8_t key[32]) {
    fallgate_str text = read_text();
    CHECK(text.length == 64);
    for (size_t i = 0; i < 32; i++) {
        const char digits[] = {text.data[2 * i], text.data[2 * i + 1], '\0'};
        key[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
}

static char *trust_root;

static void set_up(void) {
    CHECK(fallgate_config_defaults(&config, sizeof config) == FALLGATE_STATUS_OK);
    read_key(config.state_key);
    read_key(config.audit_key);
    /* Empty: the default. */
    fallgate_str entries = read_text();
    if (entries.length > 0) {
        char digits[21] = {0};
        CHECK(entries.length < sizeof digits);
        memcpy(digits, entries.data, entries.length);
        config.limits.audit_entries_max = strtoull(digits, NULL, 10);
    }
    /* Empty: anybody's bundles are taken. Kept for the engines that begin later. */
    fallgate_str root = read_text();
    trust_root = realloc(trust_root, root.length + 1);
    CHECK(trust_root != NULL);
    memcpy(trust_root, root.data, root.length);
    config.trust_root = root.length > 0 ? trust_root : NULL;
    config.trust_root_length = root.length;
    begin();
}

/* What an operation came to, or why it was not done: one of the two is null. */
static void operate(void) {
    fallgate_str operation = read_text();
    fallgate_text *outcome = NULL;
    fallgate_error *error = NULL;
    fallgate_status status = fallgate_engine_operate(engine, operation.data, operation.length, &now, &outcome, &error);
    CHECK((status == FALLGATE_STATUS_OK) == (error == NULL) && (outcome == NULL) == (error != NULL));
    if (status == FALLGATE_STATUS_OK) {
        printf("{\"outcome\":%s,\"because\":null}\n", fallgate_text_data(outcome));
    } else {
        CHECK(status == FALLGATE_STATUS_OPERATION_REFUSED && fallgate_error_status(error) == status);
        printf("{\"outcome\":null,\"because\":\"%s\"}\n", fallgate_error_code(error));
    }
    CHECK(fallgate_text_free(&outcome) == FALLGATE_STATUS_OK && fallgate_error_free(&error) == FALLGATE_STATUS_OK);
}

int main(void) {
    char *bundle = NULL;
    size_t bundle_length = 0;
    CHECK(fallgate_details_new(&details, NULL) == FALLGATE_STATUS_OK);
    while (read_line()) {
        fallgate_decision decision;
        if (is("bundle")) {
            fallgate_str text = read_text();
            bundle = realloc(bundle, text.length + 1);
            CHECK(bundle != NULL);
            memcpy(bundle, text.data, text.length);
            bundle_length = text.length;
        } else if (is("engine")) {
            set_up();
        } else if (is("restart")) {
            begin();
        } else if (strncmp(line, "at ", 3) == 0) {
            CHECK(sscanf(line, "at %" SCNu64 " %" SCNd64, &now.monotonic_ns, &now.wall_ns) == 2);
        } else if (is("activate")) {
            fallgate_error *error = NULL;
            fallgate_status status =
                fallgate_engine_activate_bundle(engine, bundle, bundle_length, UNSIGNED, &now, &error);
            if (status != FALLGATE_STATUS_OK) {
                fprintf(stderr, "%s\n", fallgate_error_message(error));
            }
            CHECK(status == FALLGATE_STATUS_OK);
        } else if (is("advance")) {
            CHECK(fallgate_engine_advance(engine, &now) == FALLGATE_STATUS_OK);
        } else if (is("anchor")) {
            CHECK(fallgate_engine_anchor_clocks(engine, &now) == FALLGATE_STATUS_OK);
        } else if (strncmp(line, "observe ", 8) == 0) {
            observe();
        } else if (is("operate")) {
            operate();
        } else if (is("json")) {
            fallgate_str text = read_text();
            answer(fallgate_engine_decide_json(engine, text.data, text.length, &now, &decision, details), &decision);
        } else if (is("arrays")) {
            fallgate_request request = read_request();
            answer(fallgate_engine_decide(engine, &request, &now, &decision, details), &decision);
        } else {
            fprintf(stderr, "a line that means nothing: %s\n", line);
            return 1;
        }
        free_blocks();
    }
    fallgate_details_free(&details);
    fallgate_engine_free(&engine);
    free(bundle);
    free(trust_root);
    return 0;
}
