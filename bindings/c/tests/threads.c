/* Many threads on one engine while another swaps its bundles and reports its signals: threads [readers] [swaps].
 *
 * A rule's name ends with its bundle's revision, so a decision that mixed two bundles would show. */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>

static fallgate_engine *engine;
static atomic_bool done;
static atomic_ulong decided;

static void *reader(void *unused) {
    (void)unused;
    fallgate_details *details = NULL;
    CHECK(fallgate_details_new(&details, NULL) == FALLGATE_STATUS_OK);
    fallgate_now now = at_ms(1);
    const fallgate_attribute level = level_of(3);
    const fallgate_request read_request = request_of("read", &level), write_request = request_of("write", &level);
    const char json[] = READ_JSON;
    while (!atomic_load(&done)) {
        fallgate_decision decision;
        CHECK(fallgate_engine_decide(engine, &read_request, &now, &decision, details) == FALLGATE_EFFECT_ALLOW);
        char rule[32];
        snprintf(rule, sizeof rule, "senior-%llu", (unsigned long long)decision.revision);
        CHECK(strcmp(rule, decision.rule) == 0);
        char text[1024];
        size_t needed = fallgate_details_json(details, text, sizeof text);
        CHECK(needed > 0 && needed < sizeof text && strstr(text, rule) != NULL);

        fallgate_effect effect = fallgate_engine_decide(engine, &write_request, &now, &decision, NULL);
        CHECK(effect == decision.effect);
        CHECK(effect == FALLGATE_EFFECT_ALLOW || decision.reason == FALLGATE_REASON_SIGNAL_UNAVAILABLE);
        effect = fallgate_engine_decide_json(engine, json, sizeof json - 1, &now, &decision, NULL);
        CHECK(effect == FALLGATE_EFFECT_ALLOW && decision.status == FALLGATE_STATUS_OK);
        fallgate_text *event = NULL;
        fallgate_status status = fallgate_engine_poll_event(engine, &event);
        CHECK(status == FALLGATE_STATUS_OK || (status == FALLGATE_STATUS_NONE && event == NULL));
        fallgate_text_free(&event);
        fallgate_counters counters;
        CHECK(fallgate_engine_counters(engine, &counters) == FALLGATE_STATUS_OK);
        atomic_fetch_add(&decided, 3);
    }
    fallgate_details_free(&details);
    return NULL;
}

/* A bundle of a revision of its own; the pack's text has its number in three places. */
static void activate(unsigned revision, const fallgate_now *now) {
    char pack[2048];
    const char *from = pack_text(1);
    size_t length = 0;
    for (; *from != '\0'; from++) {
        bool number = *from == '1' && (from[-1] == '-' || strncmp(from - 2, ": 1, \"schema", 12) == 0);
        length += (size_t)snprintf(pack + length, sizeof pack - length, number ? "%u" : "%c",
                                   number ? revision : (unsigned)*from);
        CHECK(length < sizeof pack);
    }
    fallgate_error *error = NULL;
    fallgate_status status = fallgate_engine_activate_document(engine, pack, length, UNSIGNED, now, &error);
    if (status != FALLGATE_STATUS_OK) {
        fprintf(stderr, "%s\n", fallgate_error_message(error));
    }
    CHECK(status == FALLGATE_STATUS_OK);
}

int main(int argc, char **argv) {
    unsigned readers = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 64;
    unsigned swaps = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 100;
    fallgate_now now = at_ms(1);
    engine = engine_at(&now);
    pthread_t *threads = calloc(readers, sizeof *threads);
    CHECK(threads != NULL);
    for (unsigned i = 0; i < readers; i++) {
        CHECK(pthread_create(&threads[i], NULL, reader, NULL) == 0);
    }
    for (unsigned revision = 2; revision < swaps + 2; revision++) {
        activate(revision, &now);
        fallgate_signal_status told = revision % 2 == 0 ? FALLGATE_SIGNAL_OK : FALLGATE_SIGNAL_FAILED;
        fallgate_status status = fallgate_engine_observe(engine, "idp", 3, told, NULL, &now);
        /* Of two reports of one instant the worse one stands. */
        CHECK(status == FALLGATE_STATUS_OK || status == FALLGATE_STATUS_OBSERVATION_OLDER);
    }
    while (atomic_load(&decided) < 3u * readers) {
    }
    atomic_store(&done, true);
    for (unsigned i = 0; i < readers; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    free(threads);
    fallgate_bundle bundle;
    CHECK(fallgate_engine_bundle(engine, &bundle) == FALLGATE_STATUS_OK && bundle.revision == swaps + 1);
    fallgate_engine_free(&engine);
    printf("%u threads, %u bundles, %lu decisions\n", readers, swaps, atomic_load(&decided));
    return 0;
}
