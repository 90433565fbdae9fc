/* The gateway of a plant: it passes on to pumps, valves and doors what a signed policy allows, and drops the rest.
 *
 *     cc -std=c11 gateway.c $(pkg-config --cflags --libs fallgate) -o gateway
 *     ./gateway trust.json audit.jsonl
 *
 * It is spoken to by lines on standard input, and answers each with a line; whatever has the radio starts it and holds both ends:
 *
 *     bundle FILE             a signed bundle of policies/iot-quarantine     activated REVISION, or refused CODE
 *     signal NAME STATUS      what is known of a source: ok, degraded, failed              told, or refused CODE
 *     {"subject": ...}        a request, as AuthZEN writes it                        pass RULE, or drop REASON
 *
 * A line that is none of these is dropped, and so is whatever does not fit into one. Records of what it decided go to the audit
 * file, a batch a line (docs/audit.md); it forgets them when they are on the disk. With a third argument, seconds since
 * 1970, it takes its time from lines `at SECONDS` after then instead of from the clocks: that is for rehearsals.
 *
 * To try: ask before there is a bundle; change a character of the bundle; name /dev/full as the audit file and install
 * firmware until there is no room for a record; report a source as failed.
 */
#define _POSIX_C_SOURCE 200809L
#include <fallgate.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A line; what is longer is no message of ours. */
#define LINE_MAX_BYTES 65536
/* A bundle or a trust root; the library has limits of its own below this. */
#define FILE_MAX_BYTES ((size_t)16 << 20)
/* So few that they can be seen to run out; the library's own number is 100,000. */
#define AUDIT_ROOM 64

struct gateway {
    fallgate_engine *engine;
    const char *audit_file;
    /* The time of a rehearsal; NULL lets the library read the clocks. */
    const fallgate_now *now;
};

/* The bytes of a file, which the caller frees; NULL where it cannot be read whole. */
static char *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    char *bytes = file == NULL ? NULL : malloc(FILE_MAX_BYTES);
    if (bytes != NULL) {
        *length = fread(bytes, 1, FILE_MAX_BYTES, file);
        if (ferror(file) || *length == FILE_MAX_BYTES) {
            free(bytes);
            bytes = NULL;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return bytes;
}

/* Reads a line without its end: its length, or -1 at the end of the input. What is too long is read away, and counts as one byte
 * more than there is room for. */
static long read_line(char *line) {
    long length = 0;
    int byte;
    while ((byte = getchar()) != EOF && byte != '\n') {
        if (length < LINE_MAX_BYTES) {
            line[length] = (char)byte;
        }
        length += length <= LINE_MAX_BYTES;
    }
    return byte == EOF && length == 0 ? -1 : length;
}

static void bundle(const struct gateway *gateway, const char *path) {
    size_t length = 0;
    char *envelope = read_file(path, &length);
    if (envelope == NULL) {
        printf("refused unreadable\n");
        return;
    }
    fallgate_error *error = NULL;
    fallgate_bundle active = {0};
    if (fallgate_engine_activate_signed(gateway->engine, envelope, length, gateway->now, &error) == FALLGATE_STATUS_OK &&
        fallgate_engine_bundle(gateway->engine, &active) == FALLGATE_STATUS_OK) {
        printf("activated %" PRIu64 "\n", active.revision);
    } else {
        /* The one before goes on. */
        printf("refused %s\n", fallgate_error_code(error));
    }
    fallgate_error_free(&error);
    free(envelope);
}

static void signal_told(const struct gateway *gateway, const char *name, const char *status) {
    uint32_t seen = FALLGATE_SIGNAL_FAILED;
    if (strcmp(status, "ok") == 0) {
        seen = FALLGATE_SIGNAL_OK;
    } else if (strcmp(status, "degraded") == 0) {
        seen = FALLGATE_SIGNAL_DEGRADED;
    } else if (strcmp(status, "failed") != 0) {
        printf("refused malformed\n");
        return;
    }
    fallgate_status told = fallgate_engine_observe(gateway->engine, name, strlen(name), seen, NULL, gateway->now);
    if (told == FALLGATE_STATUS_OK) {
        printf("told\n");
    } else {
        printf("refused %s\n", fallgate_status_code(told));
    }
}

static void request(const struct gateway *gateway, const char *json, size_t length) {
    fallgate_decision decision = {0};
    fallgate_effect effect = fallgate_engine_decide_json(gateway->engine, json, length, gateway->now, &decision, NULL);
    if (effect == FALLGATE_EFFECT_ALLOW && decision.obligations == 0) {
        printf("pass %s\n", decision.rule);
    } else {
        /* This gateway can fulfil no obligation, so that an allow with one is none. */
        printf("drop %s\n", effect == FALLGATE_EFFECT_ALLOW ? "obligation_unfulfilled" : decision.reason_code);
    }
}

/* Writes bytes so that they are on the disk, all of them. */
static bool written(const char *path, const char *bytes, size_t length) {
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (file < 0) {
        return false;
    }
    off_t before = lseek(file, 0, SEEK_END);
    bool whole = write(file, bytes, length) == (ssize_t)length && write(file, "\n", 1) == 1 && fsync(file) == 0;
    if (!whole && lseek(file, 0, SEEK_END) != before && ftruncate(file, before) != 0) {
        fprintf(stderr, "gateway: half a batch is in %s\n", path);
    }
    close(file);
    return whole;
}

/* Hands records over. What is not written stays in the engine, which denies what demands a record when it has no more room. */
static void drain(const struct gateway *gateway) {
    static const char drain[] = "{\"drain_audit\": {}}";
    fallgate_text *batch = NULL;
    if (fallgate_engine_operate(gateway->engine, drain, sizeof drain - 1, gateway->now, &batch, NULL) != FALLGATE_STATUS_OK) {
        return;
    }
    unsigned long long last = 0;
    const char *text = fallgate_text_data(batch);
    const char *seq = strstr(text, "\"last_seq\":");
    if (strstr(text, "\"lines\":[]") == NULL && seq != NULL && sscanf(seq, "\"last_seq\":%llu", &last) == 1 &&
        written(gateway->audit_file, text, fallgate_text_length(batch))) {
        char acknowledge[64];
        int length = snprintf(acknowledge, sizeof acknowledge, "{\"acknowledge_audit\": {\"seq\": %llu}}", last);
        fallgate_error *error = NULL;
        if (fallgate_engine_operate(gateway->engine, acknowledge, (size_t)length, gateway->now, NULL, &error) !=
            FALLGATE_STATUS_OK) {
            fprintf(stderr, "gateway: %s\n", fallgate_error_message(error));
        }
        fallgate_error_free(&error);
    }
    fallgate_text_free(&batch);
}

static void answer(struct gateway *gateway, fallgate_now *rehearsed, const fallgate_now *start, char *line, size_t length) {
    char name[128];
    char status[16];
    uint32_t seconds = 0;
    char rest = 0;
    if (length > LINE_MAX_BYTES) {
        printf("drop too_long\n");
    } else if (length > 0 && line[0] == '{') {
        request(gateway, line, length);
    } else if (memchr(line, 0, length) != NULL) {
        /* A message that ends before its line does has two readings. */
        printf("drop malformed\n");
    } else if (strncmp(line, "bundle ", 7) == 0) {
        bundle(gateway, line + 7);
    } else if (sscanf(line, "signal %127s %15s %c", name, status, &rest) == 2) {
        signal_told(gateway, name, status);
    } else if (gateway->now != NULL && sscanf(line, "at %" SCNu32 " %c", &seconds, &rest) == 1) {
        rehearsed->monotonic_ns = start->monotonic_ns + seconds * UINT64_C(1000000000);
        rehearsed->wall_ns = start->wall_ns + seconds * INT64_C(1000000000);
        printf("it is %" PRIu32 "\n", seconds);
    } else {
        printf("drop malformed\n");
    }
}

int main(int count, char **arguments) {
    if (count < 3 || count > 4) {
        fprintf(stderr, "usage: gateway TRUST_ROOT AUDIT_FILE [SECONDS]\n");
        return 2;
    }
    fallgate_config config;
    size_t root_length = 0;
    char *root = read_file(arguments[1], &root_length);
    if (root == NULL || fallgate_config_defaults(&config, sizeof config) != FALLGATE_STATUS_OK) {
        /* An engine without a root would take anybody's bundle. */
        fprintf(stderr, "gateway: the trust root cannot be read\n");
        free(root);
        return 1;
    }
    config.trust_root = root;
    config.trust_root_length = root_length;
    config.limits.audit_entries_max = AUDIT_ROOM;
    struct gateway gateway = {NULL, arguments[2], NULL};
    fallgate_error *error = NULL;
    fallgate_status made = fallgate_engine_new(FALLGATE_ABI_VERSION, &config, &gateway.engine, &error);
    free(root);
    char *line = malloc(LINE_MAX_BYTES + 1);
    if (made != FALLGATE_STATUS_OK || line == NULL) {
        fprintf(stderr, "gateway: no engine: %s: %s\n", fallgate_error_code(error), fallgate_error_message(error));
        fallgate_error_free(&error);
        fallgate_engine_free(&gateway.engine);
        free(line);
        return 1;
    }
    fallgate_now start = {0};
    if (count == 4) {
        start.wall_ns = strtoll(arguments[3], NULL, 10) * INT64_C(1000000000);
    }
    fallgate_now rehearsed = start;
    gateway.now = count == 4 ? &rehearsed : NULL;
    for (long length; (length = read_line(line)) >= 0;) {
        line[length < LINE_MAX_BYTES ? length : LINE_MAX_BYTES] = '\0';
        answer(&gateway, &rehearsed, &start, line, (size_t)length);
        fflush(stdout);
        drain(&gateway);
    }
    fallgate_engine_free(&gateway.engine);
    free(line);
    return 0;
}
