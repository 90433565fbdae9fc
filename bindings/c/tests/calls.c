/* Random calls with good and bad arguments, and the memory of the process before and after: calls [how many].
 *
 * A first part of the calls lets every table grow to what it needs; after it, memory must not grow. */
#include "check.h"

#include <unistd.h>

static uint64_t state = 0x9E3779B97F4A7C15u;

static uint64_t next(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint64_t below(uint64_t bound) { return next() % bound; }

/* The resident memory in KiB. */
static long resident_kib(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    long size = 0, resident = 0;
    CHECK(file != NULL && fscanf(file, "%ld %ld", &size, &resident) == 2);
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static fallgate_engine *engine;
static fallgate_details *details;
static uint64_t clock_ms = 1;
static unsigned revision = 1;
static unsigned long allows;

/* Mostly a moment that goes on, at times one that goes back or jumps; now and then the library's own clocks are not for
 * an engine that lives on these. */
static fallgate_now moment(void) {
    clock_ms += below(3);
    return at_ms(below(50) == 0 ? clock_ms / 2 : clock_ms);
}

static const char *some_text(size_t *length) {
    static const struct {
        const char *text;
        size_t length;
    } texts[] = {
        {READ_JSON, sizeof READ_JSON - 1}, {READ_JSON, sizeof READ_JSON}, {READ_JSON, 40}, {NULL, 0}, {NULL, 9},
        {"idp", 3}, {"clock", 5}, {"\xFF\xFF", 2}, {"a\0b", 3}, {"{}", 2}, {READ_JSON, SIZE_MAX},
        {"{\"drill\":\"d\",\"steps\":[{\"at\":\"0s\",\"decide\":\"{\"}]}", 49},
    };
    size_t at = below(sizeof texts / sizeof texts[0]);
    *length = texts[at].length;
    return texts[at].text;
}

static fallgate_value some_value(unsigned depth, fallgate_attribute *room) {
    fallgate_value value = {(uint32_t)below(9), {.natural = next()}};
    switch (value.kind) {
    case FALLGATE_VALUE_BOOL: value.of.boolean = (uint8_t)below(3); break;
    case FALLGATE_VALUE_TEXT: value.of.text.data = some_text(&value.of.text.length); break;
    case FALLGATE_VALUE_LIST:
        value.of.list.items = depth > 0 ? &room->value : NULL;
        value.of.list.count = below(2);
        break;
    case FALLGATE_VALUE_MAP:
        value.of.map.entries = depth > 0 ? room : NULL;
        value.of.map.count = below(2);
        break;
    default: break;
    }
    return value;
}

static void count(fallgate_effect effect, const fallgate_decision *decision) {
    CHECK(effect == decision->effect && effect <= FALLGATE_EFFECT_ALLOW);
    CHECK((effect == FALLGATE_EFFECT_ALLOW) == (decision->reason >= FALLGATE_REASON_ALLOWED_BY_RULE));
    CHECK(effect == FALLGATE_EFFECT_DENY || decision->status == FALLGATE_STATUS_OK);
    allows += effect;
}

static void call(void) {
    fallgate_now now = moment();
    size_t length = 0;
    const char *text = some_text(&length);
    fallgate_decision decision;
    fallgate_text *given = NULL;
    fallgate_error *error = NULL;
    fallgate_status status = FALLGATE_STATUS_OK;
    fallgate_details *wanted = below(2) == 0 ? details : NULL;
    switch (below(16)) {
    case 0:
    case 1: count(fallgate_engine_decide_json(engine, text, length, &now, &decision, wanted), &decision); break;
    case 2:
    case 3:
    case 4: {
        fallgate_attribute inner = {FALLGATE_STR("inner"), some_value(0, NULL)};
        fallgate_attribute properties[2] = {level_of((int64_t)below(6)), {FALLGATE_STR("extra"), some_value(1, &inner)}};
        fallgate_request request = request_of(below(2) == 0 ? "read" : "write", properties);
        request.subject.properties.count = below(3);
        count(fallgate_engine_decide(engine, &request, &now, &decision, wanted), &decision);
        break;
    }
    case 5: status = fallgate_engine_observe(engine, text, length, (uint32_t)below(5), NULL, &now); break;
    case 6: status = fallgate_engine_observe(engine, "idp", 3, FALLGATE_SIGNAL_OK, NULL, &now); break;
    case 7: status = fallgate_engine_advance(engine, &now); break;
    case 8: status = fallgate_engine_poll_event(engine, &given); break;
    case 9: status = fallgate_engine_explain(engine, text, length, &now, &given); break;
    case 10: {
        static const char *const paths[] = {"/access/v1/evaluation", "/access/v1/evaluations", "/access/v1/search/subject"};
        if (below(2) == 0) {
            allows += fallgate_engine_evaluate(engine, text, length, &now, &given);
        } else {
            const char *path = paths[below(3)];
            uint16_t answered = fallgate_engine_authzen(engine, path, strlen(path), text, length, &now, &given);
            CHECK(answered != 500 && (answered == 0) == (given == NULL));
        }
        break;
    }
    case 11: status = fallgate_engine_drill(engine, text, length, &given, &error); break;
    case 12: {
        /* Activation is the dearest call, and a rare one. */
        const char *pack = pack_text(below(40) == 0 ? (revision = revision % 4 + 1) : 4);
        if (below(20) == 0) {
            status = fallgate_engine_activate_document(engine, pack, strlen(pack), UNSIGNED, &now, &error);
        } else {
            status = fallgate_engine_activate_bundle(engine, text, length, (uint32_t)below(3), &now, &error);
        }
        break;
    }
    case 13: {
        char buffer[256];
        (void)fallgate_details_json(details, buffer, below(sizeof buffer));
        (void)fallgate_details_obligations(details, buffer, below(sizeof buffer));
        (void)fallgate_details_degraded(details, below(2), buffer, below(sizeof buffer));
        (void)fallgate_details_detail(details, buffer, below(sizeof buffer));
        break;
    }
    case 14: {
        fallgate_engine *other = NULL;
        if (below(50) == 0) {
            status = fallgate_engine_new((uint32_t)below(3), NULL, &other, &error);
            fallgate_engine_free(&other);
        }
        break;
    }
    default: {
        fallgate_counters counters;
        fallgate_bundle bundle;
        uint64_t due;
        CHECK(fallgate_engine_counters(engine, &counters) == FALLGATE_STATUS_OK);
        CHECK(fallgate_engine_bundle(engine, &bundle) == FALLGATE_STATUS_OK);
        status = fallgate_engine_next_deadline(engine, &due);
        break;
    }
    }
    CHECK(status != FALLGATE_STATUS_INTERNAL_ERROR);
    CHECK(fallgate_text_free(&given) == FALLGATE_STATUS_OK && fallgate_error_free(&error) == FALLGATE_STATUS_OK);
}

int main(int argc, char **argv) {
    unsigned long calls = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    fallgate_now now = at_ms(0);
    engine = engine_at(&now);
    CHECK(fallgate_details_new(&details, NULL) == FALLGATE_STATUS_OK);
    unsigned long settled = calls / 5;
    for (unsigned long i = 0; i < settled; i++) {
        call();
    }
    long before = resident_kib();
    for (unsigned long i = settled; i < calls; i++) {
        call();
    }
    long after = resident_kib();
    fallgate_details_free(&details);
    fallgate_engine_free(&engine);
    printf("%lu calls, %lu allowed, resident %ld KiB after %lu, %ld KiB at the end\n", calls, allows, before, settled, after);
    CHECK(allows > calls / 100);
    /* One leaked allocation in a hundred calls would be more. The sanitizers keep what is freed for a while. */
    CHECK(calls < 1000000 || after - before < 1024);
    return 0;
}
