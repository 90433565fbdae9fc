/* Every function with what it should get and with what it should not: NULL, length 0, huge lengths, misaligned pointers,
 * text that is not UTF-8, NUL inside a text, handles of another kind and, with the argument `freed`, freed ones. */
#include "check.h"

#include <float.h>
#include <math.h>
#include <pthread.h>

/* Nanoseconds at 1 s, 2 s … after the start. */
static const fallgate_now *second(unsigned number) {
    static fallgate_now now;
    now = at_ms(number * 1000u);
    return &now;
}

static fallgate_effect decide(const fallgate_engine *engine, const fallgate_request *request, fallgate_decision *decision) {
    return fallgate_engine_decide(engine, request, second(1), decision, NULL);
}

static void zero_is_safe(void) {
    fallgate_decision decision;
    memset(&decision, 0, sizeof decision);
    CHECK(decision.effect == FALLGATE_EFFECT_DENY && decision.status != FALLGATE_STATUS_OK);
    CHECK(decision.reason == FALLGATE_REASON_INTERNAL_ERROR && decision.rule[0] == '\0');
    CHECK(FALLGATE_STATUS_OK != 0);

    fallgate_engine *engine = engine_at(second(0));
    fallgate_request request;
    memset(&request, 0, sizeof request);
    CHECK(decide(engine, &request, &decision) == FALLGATE_EFFECT_DENY);
    CHECK(decision.reason == FALLGATE_REASON_INVALID_REQUEST && decision.status == FALLGATE_STATUS_OK);

    fallgate_config config;
    memset(&config, 0, sizeof config);
    fallgate_engine *none = NULL;
    CHECK(fallgate_engine_new(FALLGATE_ABI_VERSION, &config, &none, NULL) == FALLGATE_STATUS_OUT_OF_RANGE);
    CHECK(none == NULL);
    fallgate_engine_free(&engine);
}

static void versions(void) {
    CHECK(fallgate_abi_version() == FALLGATE_ABI_VERSION);
    CHECK(strcmp(fallgate_version(), "0.1.0") == 0);
    fallgate_engine *engine = NULL;
    fallgate_error *error = NULL;
    CHECK(fallgate_engine_new(FALLGATE_ABI_VERSION + 1, NULL, &engine, &error) == FALLGATE_STATUS_ABI_MISMATCH);
    CHECK(engine == NULL && error != NULL && fallgate_error_status(error) == FALLGATE_STATUS_ABI_MISMATCH);
    CHECK(strstr(fallgate_error_message(error), "ABI version") != NULL);
    CHECK(strcmp(fallgate_error_json(error), "[]") == 0);
    fallgate_error_free(&error);
    CHECK(error == NULL && fallgate_error_free(&error) == FALLGATE_STATUS_OK);
    CHECK(strcmp(fallgate_status_code(FALLGATE_STATUS_NOT_CANONICAL), "not_canonical") == 0);
    CHECK(strcmp(fallgate_reason_code(FALLGATE_REASON_ALLOWED_STALE), "allowed_stale") == 0);
    CHECK(strcmp(fallgate_status_code(4000000000u), "unknown") == 0 && strcmp(fallgate_reason_code(99), "unknown") == 0);
}

static void configurations(void) {
    fallgate_config config;
    CHECK(fallgate_config_defaults(NULL, sizeof config) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_config_defaults(&config, sizeof config - 8) == FALLGATE_STATUS_ABI_MISMATCH);
    CHECK(fallgate_config_defaults(&config, sizeof config) == FALLGATE_STATUS_OK);
    CHECK(config.limits.request_bytes_max == 1u << 20 && config.limits.batch_max == 1000);
    CHECK(config.clock_skew_max_ms == 5000 && config.size == sizeof config);

    config.limits.steps_max = UINT64_MAX;
    fallgate_engine *engine = NULL;
    CHECK(fallgate_engine_new(FALLGATE_ABI_VERSION, &config, &engine, NULL) == FALLGATE_STATUS_OUT_OF_RANGE);
    config.limits.steps_max = 1000;
    config.limits.request_bytes_max = sizeof READ_JSON - 2;
    CHECK(fallgate_engine_new(FALLGATE_ABI_VERSION, &config, &engine, NULL) == FALLGATE_STATUS_OK);
    fallgate_decision decision;
    CHECK(fallgate_engine_decide_json(engine, READ_JSON, sizeof READ_JSON - 1, second(1), &decision, NULL) == 0);
    CHECK(decision.reason == FALLGATE_REASON_LIMIT_EXCEEDED);
    fallgate_engine_free(&engine);
}

static void decisions(void) {
    fallgate_engine *engine = engine_at(second(0));
    fallgate_details *details = NULL;
    CHECK(fallgate_details_new(&details, NULL) == FALLGATE_STATUS_OK);
    fallgate_attribute level = level_of(3);
    fallgate_request request = request_of("read", &level);
    fallgate_decision decision;
    memset(&decision, 0xAA, sizeof decision);

    CHECK(fallgate_engine_decide(engine, &request, second(1), &decision, details) == FALLGATE_EFFECT_ALLOW);
    CHECK(decision.effect == FALLGATE_EFFECT_ALLOW && decision.status == FALLGATE_STATUS_OK && !decision.cached);
    CHECK(decision.reason == FALLGATE_REASON_ALLOWED_BY_RULE && strcmp(decision.reason_code, "allowed_by_rule") == 0);
    CHECK(strcmp(decision.rule, "senior-1") == 0 && strcmp(decision.bundle, "test") == 0 && decision.revision == 1);
    CHECK(strlen(decision.id) == 26 && decision.expires_in_ms == 60000);
    CHECK(decision.decided_at.monotonic_ns == second(1)->monotonic_ns);

    /* The same in JSON has the same key, and so comes from the cache. */
    CHECK(fallgate_engine_decide_json(engine, READ_JSON, sizeof READ_JSON - 1, second(2), &decision, details) == 1);
    CHECK(decision.cached && decision.expires_in_ms == 59000);
    char text[2048];
    size_t needed = fallgate_details_json(details, text, sizeof text);
    CHECK(needed == strlen(text) && strstr(text, "\"rule\":\"senior-1\"") != NULL);
    CHECK(strstr(text, decision.id) != NULL);
    /* Too little room gives an empty text and says how much is needed; just enough gives the whole. */
    char small[2048];
    memset(small, 'x', sizeof small);
    CHECK(fallgate_details_json(details, small, needed) == needed && small[0] == '\0' && small[1] == 'x');
    CHECK(fallgate_details_json(details, small, needed + 1) == needed && strcmp(small, text) == 0);
    CHECK(fallgate_details_json(details, NULL, 0) == needed && fallgate_details_json(details, NULL, 99) == needed);
    CHECK(fallgate_details_json(details, small, 0) == needed);

    level = level_of(2);
    CHECK(fallgate_engine_decide(engine, &request, second(1), &decision, details) == FALLGATE_EFFECT_DENY);
    CHECK(decision.reason == FALLGATE_REASON_NO_MATCHING_RULE && decision.rule[0] == '\0');

    /* A required signal that was never observed: its name is in the details. */
    level = level_of(3);
    request = request_of("write", &level);
    CHECK(fallgate_engine_decide(engine, &request, second(1), &decision, details) == FALLGATE_EFFECT_DENY);
    CHECK(decision.reason == FALLGATE_REASON_SIGNAL_UNAVAILABLE && decision.degraded == 1);
    CHECK(fallgate_details_degraded(details, 0, text, sizeof text) == 3 && strcmp(text, "idp") == 0);
    CHECK(fallgate_details_degraded(details, 1, text, sizeof text) == 0 && text[0] == '\0');
    CHECK(fallgate_details_degraded(details, SIZE_MAX, text, sizeof text) == 0);
    CHECK(fallgate_details_message(details, 0, text, sizeof text) == 0 && decision.messages == 0);

    CHECK(fallgate_engine_observe(engine, "idp", 3, FALLGATE_SIGNAL_OK, NULL, second(2)) == FALLGATE_STATUS_OK);
    CHECK(fallgate_engine_decide(engine, &request, second(2), &decision, details) == FALLGATE_EFFECT_ALLOW);
    CHECK(decision.obligations == 1 && decision.degraded == 0);
    CHECK(fallgate_details_obligations(details, text, sizeof text) > 0 && strstr(text, "\"id\":\"log\"") != NULL);
    CHECK(fallgate_details_detail(details, text, sizeof text) == 0 && text[0] == '\0');

    /* What fails leaves no earlier decision behind. */
    CHECK(fallgate_engine_decide(NULL, &request, second(2), &decision, details) == FALLGATE_EFFECT_DENY);
    CHECK(decision.status == FALLGATE_STATUS_NULL_POINTER && decision.reason == FALLGATE_REASON_INTERNAL_ERROR);
    CHECK(fallgate_details_json(details, text, sizeof text) == 0 && text[0] == '\0');

    /* With the library's own clocks. */
    fallgate_engine *other = engine_at(NULL);
    request = request_of("read", &level);
    CHECK(fallgate_engine_decide(other, &request, NULL, &decision, NULL) == FALLGATE_EFFECT_ALLOW);
    fallgate_now now = {0, 0};
    CHECK(fallgate_now_read(&now) == FALLGATE_STATUS_OK && now.monotonic_ns + 1000000 >= decision.decided_at.monotonic_ns);
    CHECK(now.wall_ns > 1600000000000000000 && fallgate_now_read(NULL) == FALLGATE_STATUS_NULL_POINTER);

    fallgate_engine_free(&other);
    fallgate_details_free(&details);
    fallgate_engine_free(&engine);
}

/* A request with one more property of the subject. */
static fallgate_effect with_value(const fallgate_engine *engine, fallgate_value value, fallgate_decision *decision) {
    fallgate_attribute properties[2] = {level_of(3), {FALLGATE_STR("extra"), value}};
    fallgate_request request = request_of("read", properties);
    request.subject.properties.count = 2;
    return decide(engine, &request, decision);
}

static void hostile_values(void) {
    fallgate_engine *engine = engine_at(second(0));
    fallgate_decision decision;
    fallgate_value good = {FALLGATE_VALUE_NULL, {.natural = 0}};
    CHECK(with_value(engine, good, &decision) == FALLGATE_EFFECT_ALLOW);
    good = (fallgate_value){FALLGATE_VALUE_UINT, {.natural = UINT64_MAX}};
    CHECK(with_value(engine, good, &decision) == FALLGATE_EFFECT_ALLOW);
    good = (fallgate_value){FALLGATE_VALUE_DOUBLE, {.number = DBL_MAX}};
    CHECK(with_value(engine, good, &decision) == FALLGATE_EFFECT_ALLOW);
    good = (fallgate_value){FALLGATE_VALUE_TEXT, {.text = {NULL, 0}}};
    CHECK(with_value(engine, good, &decision) == FALLGATE_EFFECT_ALLOW);
    good = (fallgate_value){FALLGATE_VALUE_LIST, {.list = {NULL, 0}}};
    CHECK(with_value(engine, good, &decision) == FALLGATE_EFFECT_ALLOW);
    good = (fallgate_value){FALLGATE_VALUE_TEXT, {.text = FALLGATE_STR("a\0b")}};
    CHECK(with_value(engine, good, &decision) == FALLGATE_EFFECT_ALLOW);

    /* Lists and maps that hold themselves. */
    fallgate_value loop = {FALLGATE_VALUE_LIST, {.list = {NULL, 1}}};
    loop.of.list.items = &loop;
    fallgate_attribute knot = {FALLGATE_STR("knot"), {FALLGATE_VALUE_MAP, {.map = {NULL, 1}}}};
    knot.value.of.map.entries = &knot;
    fallgate_attribute twice[2] = {level_of(1), level_of(2)};
    double odd[2] = {0, 0};
    const fallgate_value *misaligned = (const fallgate_value *)(const void *)((const char *)odd + 1);
    const struct {
        fallgate_value value;
        fallgate_reason reason;
        fallgate_status status;
    } bad[] = {
        {{8, {.natural = 0}}, FALLGATE_REASON_INVALID_REQUEST, FALLGATE_STATUS_OUT_OF_RANGE},
        {{UINT32_MAX, {.natural = 0}}, FALLGATE_REASON_INVALID_REQUEST, FALLGATE_STATUS_OUT_OF_RANGE},
        {{FALLGATE_VALUE_BOOL, {.boolean = 2}}, FALLGATE_REASON_INVALID_REQUEST, FALLGATE_STATUS_OUT_OF_RANGE},
        {{FALLGATE_VALUE_DOUBLE, {.number = (double)NAN}}, FALLGATE_REASON_INVALID_REQUEST, FALLGATE_STATUS_OK},
        {{FALLGATE_VALUE_DOUBLE, {.number = (double)-INFINITY}}, FALLGATE_REASON_INVALID_REQUEST, FALLGATE_STATUS_OK},
        {{FALLGATE_VALUE_TEXT, {.text = {NULL, 1}}}, FALLGATE_REASON_INVALID_REQUEST, FALLGATE_STATUS_NULL_POINTER},
        {{FALLGATE_VALUE_TEXT, {.text = FALLGATE_STR("\xC3(")}}, FALLGATE_REASON_INVALID_REQUEST, FALLGATE_STATUS_NOT_UTF8},
        {{FALLGATE_VALUE_TEXT, {.text = FALLGATE_STR("\xED\xA0\x80")}}, FALLGATE_REASON_INVALID_REQUEST, FALLGATE_STATUS_NOT_UTF8},
        {{FALLGATE_VALUE_TEXT, {.text = {"x", SIZE_MAX}}}, FALLGATE_REASON_LIMIT_EXCEEDED, FALLGATE_STATUS_OK},
        {{FALLGATE_VALUE_TEXT, {.text = {"x", (1u << 20) + 1}}}, FALLGATE_REASON_LIMIT_EXCEEDED, FALLGATE_STATUS_OK},
        {{FALLGATE_VALUE_LIST, {.list = {NULL, 1}}}, FALLGATE_REASON_INVALID_REQUEST, FALLGATE_STATUS_NULL_POINTER},
        {{FALLGATE_VALUE_LIST, {.list = {misaligned, 1}}}, FALLGATE_REASON_INVALID_REQUEST, FALLGATE_STATUS_MISALIGNED},
        {{FALLGATE_VALUE_LIST, {.list = {&loop, SIZE_MAX}}}, FALLGATE_REASON_LIMIT_EXCEEDED, FALLGATE_STATUS_OK},
        {{FALLGATE_VALUE_MAP, {.map = {NULL, 1}}}, FALLGATE_REASON_INVALID_REQUEST, FALLGATE_STATUS_NULL_POINTER},
        {{FALLGATE_VALUE_MAP, {.map = {&knot, SIZE_MAX / 8}}}, FALLGATE_REASON_LIMIT_EXCEEDED, FALLGATE_STATUS_OK},
        {{FALLGATE_VALUE_MAP, {.map = {twice, 2}}}, FALLGATE_REASON_INVALID_REQUEST, FALLGATE_STATUS_OK},
        {loop, FALLGATE_REASON_LIMIT_EXCEEDED, FALLGATE_STATUS_OK},
        {knot.value, FALLGATE_REASON_LIMIT_EXCEEDED, FALLGATE_STATUS_OK},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fallgate_effect effect = with_value(engine, bad[i].value, &decision);
        if (effect != 0 || decision.reason != bad[i].reason || decision.status != bad[i].status) {
            fprintf(stderr, "bad value %zu: %u %s %s\n", i, effect, decision.reason_code, fallgate_status_code(decision.status));
            CHECK(false);
        }
        CHECK(strcmp(decision.bundle, "test") == 0 && strlen(decision.id) == 26);
    }

    /* More attributes than have room on the stack are decided all the same. */
    enum { MANY = 1000 };
    static fallgate_attribute many[MANY];
    static char names[MANY][8];
    many[0] = level_of(3);
    for (unsigned i = 1; i < MANY; i++) {
        int length = snprintf(names[i], sizeof names[i], "n%u", i);
        many[i] = (fallgate_attribute){{names[i], (size_t)length}, {FALLGATE_VALUE_BOOL, {.boolean = 1}}};
    }
    fallgate_request request = request_of("read", many);
    request.subject.properties.count = MANY;
    CHECK(decide(engine, &request, &decision) == FALLGATE_EFFECT_ALLOW);
    many[MANY - 1] = level_of(3);
    CHECK(decide(engine, &request, &decision) == FALLGATE_EFFECT_DENY);
    CHECK(decision.reason == FALLGATE_REASON_INVALID_REQUEST);
    fallgate_engine_free(&engine);
}

static void hostile_requests(void) {
    fallgate_engine *engine = engine_at(second(0));
    fallgate_decision decision;
    fallgate_attribute level = level_of(3);
    const fallgate_str bad[] = {{NULL, 0}, {NULL, 3}, FALLGATE_STR("a\0b"), FALLGATE_STR("\xFF"), {"x", SIZE_MAX}, {"", 0}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        for (int part = 0; part < 5; part++) {
            fallgate_request request = request_of("read", &level);
            fallgate_str *parts[] = {&request.subject.party_type, &request.subject.id, &request.action.name,
                                     &request.resource.party_type, &request.resource.id};
            *parts[part] = bad[i];
            CHECK(decide(engine, &request, &decision) == FALLGATE_EFFECT_DENY);
            CHECK(decision.reason == FALLGATE_REASON_INVALID_REQUEST || decision.reason == FALLGATE_REASON_LIMIT_EXCEEDED);
        }
    }
    fallgate_request request = request_of("read", &level);
    CHECK(decide(engine, NULL, &decision) == 0 && decision.status == FALLGATE_STATUS_NULL_POINTER);
    CHECK(decide(engine, &request, NULL) == FALLGATE_EFFECT_DENY);
    char room[sizeof decision + 16];
    void *aligned = room + (8 - (uintptr_t)room % 8) % 8;
    CHECK(decide(engine, &request, (fallgate_decision *)(void *)((char *)aligned + 1)) == FALLGATE_EFFECT_DENY);
    const fallgate_request *odd = (const fallgate_request *)(const void *)((const char *)&request + 1);
    CHECK(decide(engine, odd, &decision) == 0 && decision.status == FALLGATE_STATUS_MISALIGNED);
    fallgate_now now = at_ms(1);
    const fallgate_now *odd_now = (const fallgate_now *)(const void *)((const char *)&now + 1);
    CHECK(fallgate_engine_decide(engine, &request, odd_now, &decision, NULL) == 0);
    CHECK(decision.status == FALLGATE_STATUS_MISALIGNED);
    fallgate_details *no_details = (fallgate_details *)(void *)engine;
    CHECK(fallgate_engine_decide(engine, &request, &now, &decision, no_details) == 0);
    CHECK(decision.status == FALLGATE_STATUS_BAD_HANDLE);

    static const char *const texts[] = {"", " ", "{", "null", "[]", "{\"subject\":1}", READ_JSON READ_JSON, "\xFF\xFE", "{\"a\":1,\"a\":2}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        CHECK(fallgate_engine_decide_json(engine, texts[i], strlen(texts[i]), &now, &decision, NULL) == 0);
        CHECK(decision.reason == FALLGATE_REASON_INVALID_REQUEST && decision.status == FALLGATE_STATUS_OK);
    }
    /* A NUL behind the request is a byte like any other. */
    CHECK(fallgate_engine_decide_json(engine, READ_JSON, sizeof READ_JSON, &now, &decision, NULL) == 0);
    CHECK(fallgate_engine_decide_json(engine, NULL, 0, &now, &decision, NULL) == 0);
    CHECK(decision.reason == FALLGATE_REASON_INVALID_REQUEST);
    CHECK(fallgate_engine_decide_json(engine, NULL, 5, &now, &decision, NULL) == 0);
    CHECK(decision.status == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_decide_json(engine, READ_JSON, SIZE_MAX, &now, &decision, NULL) == 0);
    CHECK(decision.reason == FALLGATE_REASON_LIMIT_EXCEEDED && decision.status == FALLGATE_STATUS_OK);
    CHECK(fallgate_engine_decide_json(engine, READ_JSON, sizeof READ_JSON - 1, &now, NULL, NULL) == FALLGATE_EFFECT_DENY);
    fallgate_engine_free(&engine);
}

static void *on_small_stack(void *unused) {
    (void)unused;
    hostile_values();
    hostile_requests();
    return NULL;
}

/* A host's threads may be short of stack: what nests is bounded before it is followed. */
static void small_stack(void) {
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, 128 * 1024) == 0);
    CHECK(pthread_create(&thread, &attributes, on_small_stack, NULL) == 0 && pthread_join(thread, NULL) == 0);
    CHECK(pthread_attr_destroy(&attributes) == 0);
}

static void bundles(void) {
    fallgate_engine *engine = NULL;
    CHECK(fallgate_engine_new(FALLGATE_ABI_VERSION, NULL, &engine, NULL) == FALLGATE_STATUS_OK);
    fallgate_bundle bundle;
    CHECK(fallgate_engine_bundle(engine, &bundle) == FALLGATE_STATUS_NONE);
    fallgate_decision decision;
    CHECK(fallgate_engine_decide_json(engine, READ_JSON, sizeof READ_JSON - 1, second(1), &decision, NULL) == 0);
    CHECK(decision.reason == FALLGATE_REASON_NO_POLICY && decision.status == FALLGATE_STATUS_OK);

    const char canonical[] = "{\"actions\":{\"read\":{}},\"fallgate\":1,\"name\":\"small\",\"revision\":2}";
    const size_t length = sizeof canonical - 1;
    fallgate_error *error = NULL;
    CHECK(fallgate_engine_activate_bundle(engine, canonical, length, 0, second(1), &error) == FALLGATE_STATUS_UNTRUSTED);
    CHECK(strstr(fallgate_error_message(error), "UNSIGNED") != NULL);
    fallgate_error_free(&error);
    CHECK(fallgate_engine_activate_bundle(engine, canonical, length, UNSIGNED, second(1), &error) == FALLGATE_STATUS_OK);
    CHECK(error == NULL && fallgate_engine_bundle(engine, &bundle) == FALLGATE_STATUS_OK);
    CHECK(strcmp(bundle.name, "small") == 0 && bundle.revision == 2 && strlen(bundle.id) == 64);

#define TEXT(literal) literal, sizeof(literal) - 1
    const struct {
        const char *text;
        size_t length;
        fallgate_status bundle, document;
    } bad[] = {
        {NULL, 0, FALLGATE_STATUS_SYNTAX, FALLGATE_STATUS_SYNTAX},
        {NULL, 7, FALLGATE_STATUS_NULL_POINTER, FALLGATE_STATUS_NULL_POINTER},
        {canonical, 0, FALLGATE_STATUS_SYNTAX, FALLGATE_STATUS_SYNTAX},
        {canonical, length - 1, FALLGATE_STATUS_SYNTAX, FALLGATE_STATUS_SYNTAX},
        {canonical, length + 1, FALLGATE_STATUS_TRAILING_DATA, FALLGATE_STATUS_SYNTAX},
        {canonical, SIZE_MAX, FALLGATE_STATUS_TOO_LONG, FALLGATE_STATUS_TOO_LONG},
        {canonical, ((size_t)64 << 20) + 1, FALLGATE_STATUS_TOO_LONG, FALLGATE_STATUS_TOO_LONG},
        {TEXT("\xFF"), FALLGATE_STATUS_SYNTAX, FALLGATE_STATUS_SYNTAX},
        {TEXT("[]"), FALLGATE_STATUS_INVALID_VALUE, FALLGATE_STATUS_INVALID_VALUE},
        {TEXT("{\"name\":1,\"name\":2}"), FALLGATE_STATUS_INVALID_VALUE, FALLGATE_STATUS_DUPLICATE_KEY},
        {TEXT("{\"actions\":{\"read\":{}},\"fallgate\":1,\"name\":\"small\",\"revision\":1}"),
         FALLGATE_STATUS_OLDER_REVISION, FALLGATE_STATUS_OLDER_REVISION},
        {TEXT("{\"actions\":{\"read\":{}},\"fallgate\":1,\"name\":\"other\",\"revision\":3}"), FALLGATE_STATUS_OTHER_NAME,
         FALLGATE_STATUS_OTHER_NAME},
        {TEXT("{\"actions\":{\"read\":{}}, \"fallgate\":1,\"name\":\"small\",\"revision\":3}"),
         FALLGATE_STATUS_NOT_CANONICAL, FALLGATE_STATUS_OK},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        for (int form = 0; form < 2; form++) {
            fallgate_status expected = form == 0 ? bad[i].bundle : bad[i].document;
            fallgate_status status =
                form == 0 ? fallgate_engine_activate_bundle(engine, bad[i].text, bad[i].length, UNSIGNED, second(1), &error)
                          : fallgate_engine_activate_document(engine, bad[i].text, bad[i].length, UNSIGNED, second(1), &error);
            if (status != expected) {
                fprintf(stderr, "bad bundle %zu, form %d: %s\n", i, form, fallgate_status_code(status));
                CHECK(false);
            }
            CHECK((error == NULL) == (status == FALLGATE_STATUS_OK) && (error == NULL || fallgate_error_status(error) == status));
            fallgate_error_free(&error);
        }
    }
    CHECK(fallgate_engine_bundle(engine, &bundle) == FALLGATE_STATUS_OK && bundle.revision == 3);
    const char mistyped[] = "{\"fallgate\":1,\"name\":\"small\",\"revision\":4,\"actions\":{\"read\":{\"requries\":[]}}}";
    CHECK(fallgate_engine_activate_document(engine, mistyped, sizeof mistyped - 1, UNSIGNED, second(1), &error) ==
          FALLGATE_STATUS_UNKNOWN_FIELD);
    CHECK(strstr(fallgate_error_message(error), "requires") != NULL);
    CHECK(strstr(fallgate_error_json(error), "\"pointer\":\"/actions/read/requries\"") != NULL);
    fallgate_error_free(&error);
    CHECK(fallgate_engine_activate_bundle(NULL, canonical, length, UNSIGNED, second(1), NULL) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_activate_document(NULL, canonical, length, UNSIGNED, NULL, NULL) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_bundle(NULL, &bundle) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_bundle(engine, NULL) == FALLGATE_STATUS_NULL_POINTER);
    fallgate_error **odd = (fallgate_error **)(void *)((char *)&error + 1);
    CHECK(fallgate_engine_activate_bundle(engine, canonical, length, UNSIGNED, NULL, odd) == FALLGATE_STATUS_MISALIGNED);
    CHECK(fallgate_engine_free(&engine) == FALLGATE_STATUS_OK && engine == NULL);
}

static void signals(void) {
    fallgate_engine *engine = engine_at(second(0));
    fallgate_signal_status seen = FALLGATE_SIGNAL_OK;
    CHECK(fallgate_engine_signal(engine, "idp", 3, &seen) == FALLGATE_STATUS_OK && seen == FALLGATE_SIGNAL_UNKNOWN);
    seen = FALLGATE_SIGNAL_OK;
    CHECK(fallgate_engine_signal(engine, "nope", 4, &seen) == FALLGATE_STATUS_NONE && seen == FALLGATE_SIGNAL_UNKNOWN);
    CHECK(fallgate_engine_signal(engine, "idp\0x", 5, &seen) == FALLGATE_STATUS_NONE);
    CHECK(fallgate_engine_signal(engine, "idp", 3, NULL) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_signal(engine, NULL, 3, &seen) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_signal(engine, NULL, 0, &seen) == FALLGATE_STATUS_NONE);
    CHECK(fallgate_engine_signal(engine, "idp", SIZE_MAX, &seen) == FALLGATE_STATUS_TOO_LONG);
    CHECK(fallgate_engine_signal(engine, "\xFF", 1, &seen) == FALLGATE_STATUS_NOT_UTF8);
    CHECK(fallgate_engine_signal(NULL, "idp", 3, &seen) == FALLGATE_STATUS_NULL_POINTER);

    uint64_t early = second(1)->monotonic_ns, late = second(9)->monotonic_ns;
    CHECK(fallgate_engine_observe(engine, "idp", 3, FALLGATE_SIGNAL_OK, NULL, second(2)) == FALLGATE_STATUS_OK);
    CHECK(fallgate_engine_signal(engine, "idp", 3, &seen) == FALLGATE_STATUS_OK && seen == FALLGATE_SIGNAL_OK);
    CHECK(fallgate_engine_observe(engine, "idp", 3, FALLGATE_SIGNAL_OK, &early, second(3)) == FALLGATE_STATUS_OBSERVATION_OLDER);
    CHECK(fallgate_engine_observe(engine, "idp", 3, FALLGATE_SIGNAL_OK, &late, second(3)) == FALLGATE_STATUS_OBSERVATION_FUTURE);
    CHECK(fallgate_engine_observe(engine, "clock", 5, FALLGATE_SIGNAL_OK, NULL, second(3)) == FALLGATE_STATUS_NOT_OBSERVABLE);
    CHECK(fallgate_engine_observe(engine, "nope", 4, FALLGATE_SIGNAL_OK, NULL, second(3)) == FALLGATE_STATUS_UNKNOWN_SIGNAL);
    CHECK(fallgate_engine_observe(engine, "idp", 3, 4, NULL, second(3)) == FALLGATE_STATUS_OUT_OF_RANGE);
    CHECK(fallgate_engine_observe(engine, "idp", 3, UINT32_MAX, NULL, second(3)) == FALLGATE_STATUS_OUT_OF_RANGE);
    CHECK(fallgate_engine_observe(engine, NULL, 3, 3, NULL, second(3)) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_observe(engine, "", 0, 3, NULL, second(3)) == FALLGATE_STATUS_UNKNOWN_SIGNAL);
    CHECK(fallgate_engine_observe(engine, "idp", SIZE_MAX, 3, NULL, second(3)) == FALLGATE_STATUS_TOO_LONG);
    CHECK(fallgate_engine_observe(engine, "\xC0\x80", 2, 3, NULL, second(3)) == FALLGATE_STATUS_NOT_UTF8);
    CHECK(fallgate_engine_observe(NULL, "idp", 3, 3, NULL, second(3)) == FALLGATE_STATUS_NULL_POINTER);
    const uint64_t *odd = (const uint64_t *)(const void *)((const char *)&early + 1);
    CHECK(fallgate_engine_observe(engine, "idp", 3, 3, odd, second(3)) == FALLGATE_STATUS_MISALIGNED);

    /* Observed at 2 s, good for 10 s, inclusive; what is due lies just behind. */
    uint64_t due = 0;
    CHECK(fallgate_engine_next_deadline(engine, &due) == FALLGATE_STATUS_OK && due == UINT64_C(12001000000));
    fallgate_now then = {due, second(0)->wall_ns + (int64_t)due};
    CHECK(fallgate_engine_advance(engine, &then) == FALLGATE_STATUS_OK);
    CHECK(fallgate_engine_signal(engine, "idp", 3, &seen) == FALLGATE_STATUS_OK && seen == FALLGATE_SIGNAL_UNKNOWN);
    CHECK(fallgate_engine_next_deadline(engine, &due) == FALLGATE_STATUS_NONE && due == then.monotonic_ns);
    CHECK(fallgate_engine_next_deadline(engine, NULL) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_next_deadline(NULL, &due) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_advance(NULL, &then) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_anchor_clocks(NULL, &then) == FALLGATE_STATUS_NULL_POINTER);

    /* The wall clock jumps by an hour: the clocks have parted until they are anchored. */
    then.wall_ns += 3600 * (int64_t)1000000000;
    CHECK(fallgate_engine_advance(engine, &then) == FALLGATE_STATUS_OK);
    CHECK(fallgate_engine_signal(engine, "clock", 5, &seen) == FALLGATE_STATUS_OK && seen == FALLGATE_SIGNAL_FAILED);
    CHECK(fallgate_engine_anchor_clocks(engine, &then) == FALLGATE_STATUS_OK);
    CHECK(fallgate_engine_signal(engine, "clock", 5, &seen) == FALLGATE_STATUS_OK && seen == FALLGATE_SIGNAL_OK);

    fallgate_counters counters;
    CHECK(fallgate_engine_advance(engine, second(1)) == FALLGATE_STATUS_OK);
    CHECK(fallgate_engine_counters(engine, &counters) == FALLGATE_STATUS_OK && counters.clock_went_back > 0);
    CHECK(fallgate_engine_counters(engine, NULL) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_counters(NULL, &counters) == FALLGATE_STATUS_NULL_POINTER);
    fallgate_engine_free(&engine);
}

static void texts(void) {
    fallgate_engine *engine = engine_at(second(0));
    fallgate_text *text = NULL;
    CHECK(fallgate_engine_poll_event(engine, NULL) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_poll_event(engine, &text) == FALLGATE_STATUS_OK);
    CHECK(strstr(fallgate_text_data(text), "\"event\":\"bundle_activated\"") != NULL);
    CHECK(fallgate_text_length(text) == strlen(fallgate_text_data(text)));
    CHECK(fallgate_text_free(&text) == FALLGATE_STATUS_OK && text == NULL);
    CHECK(fallgate_engine_poll_event(engine, &text) == FALLGATE_STATUS_OK);
    CHECK(strstr(fallgate_text_data(text), "\"event\":\"bundle_unsigned\"") != NULL);
    CHECK(fallgate_text_free(&text) == FALLGATE_STATUS_OK && text == NULL);
    CHECK(fallgate_engine_poll_event(engine, &text) == FALLGATE_STATUS_NONE && text == NULL);
    CHECK(fallgate_engine_poll_event(NULL, &text) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_text_data(NULL) == NULL && fallgate_text_length(NULL) == 0);
    CHECK(fallgate_text_free(NULL) == FALLGATE_STATUS_NULL_POINTER && fallgate_text_free(&text) == FALLGATE_STATUS_OK);
    CHECK(strlen(fallgate_error_message(NULL)) > 0 && strcmp(fallgate_error_json(NULL), "[]") == 0);
    CHECK(fallgate_error_status(NULL) == FALLGATE_STATUS_INTERNAL_ERROR);
    CHECK(fallgate_error_free(NULL) == FALLGATE_STATUS_NULL_POINTER);

    const size_t length = sizeof READ_JSON - 1;
    CHECK(fallgate_engine_evaluate(engine, READ_JSON, length, second(1), &text) == FALLGATE_EFFECT_ALLOW);
    CHECK(strstr(fallgate_text_data(text), "\"decision\":true") != NULL);
    fallgate_text_free(&text);
    CHECK(fallgate_engine_evaluate(engine, READ_JSON, length - 1, second(1), &text) == FALLGATE_EFFECT_DENY);
    CHECK(strstr(fallgate_text_data(text), "\"decision\":false") != NULL);
    fallgate_text_free(&text);
    CHECK(fallgate_engine_evaluate(engine, READ_JSON, length, second(1), NULL) == FALLGATE_EFFECT_DENY);
    CHECK(fallgate_engine_evaluate(NULL, READ_JSON, length, second(1), &text) == FALLGATE_EFFECT_DENY && text == NULL);
    CHECK(fallgate_engine_evaluate(engine, NULL, 9, second(1), &text) == FALLGATE_EFFECT_DENY && text == NULL);
    CHECK(fallgate_engine_evaluate(engine, READ_JSON, SIZE_MAX, second(1), &text) == FALLGATE_EFFECT_DENY);
    CHECK(strstr(fallgate_text_data(text), "limit_exceeded") != NULL);
    fallgate_text_free(&text);

    CHECK(fallgate_engine_explain(engine, READ_JSON, length, second(1), &text) == FALLGATE_STATUS_OK);
    CHECK(strstr(fallgate_text_data(text), "\"rule\":\"senior-1\"") != NULL);
    fallgate_text_free(&text);
    CHECK(fallgate_engine_explain(engine, "{", 1, second(1), &text) == FALLGATE_STATUS_OK);
    CHECK(strstr(fallgate_text_data(text), "\"stopped\"") != NULL);
    fallgate_text_free(&text);
    CHECK(fallgate_engine_explain(engine, NULL, 1, second(1), &text) == FALLGATE_STATUS_NULL_POINTER && text == NULL);
    CHECK(fallgate_engine_explain(NULL, "{", 1, second(1), &text) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_explain(engine, "{", 1, second(1), NULL) == FALLGATE_STATUS_NULL_POINTER);

    const char drill[] = "{\"drill\": \"silence\", \"steps\": ["
                         "{\"at\": \"0s\", \"decide\": " READ_JSON ", \"expect\": {\"effect\": \"allow\"}},"
                         "{\"at\": \"1s\", \"decide\": \"{\", \"expect\": {\"effect\": \"allow\"}}]}";
    fallgate_error *error = NULL;
    CHECK(fallgate_engine_drill(engine, drill, sizeof drill - 1, &text, &error) == FALLGATE_STATUS_OK && error == NULL);
    CHECK(strstr(fallgate_text_data(text), "\"passed\":false") != NULL && strstr(fallgate_text_data(text), "\"steps\":[") != NULL);
    fallgate_text_free(&text);
    CHECK(fallgate_engine_drill(engine, TEXT("{\"drill\":1}"), &text, &error) == FALLGATE_STATUS_INVALID_VALUE);
    CHECK(text == NULL && error != NULL);
    fallgate_error_free(&error);
    CHECK(fallgate_engine_drill(engine, "{", 1, &text, NULL) == FALLGATE_STATUS_SYNTAX);
    CHECK(fallgate_engine_drill(engine, NULL, 1, &text, NULL) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_drill(engine, drill, SIZE_MAX, &text, NULL) == FALLGATE_STATUS_TOO_LONG);
    CHECK(fallgate_engine_drill(NULL, drill, sizeof drill - 1, &text, NULL) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_drill(engine, drill, sizeof drill - 1, NULL, NULL) == FALLGATE_STATUS_NULL_POINTER);
    fallgate_engine *empty = NULL;
    CHECK(fallgate_engine_new(FALLGATE_ABI_VERSION, NULL, &empty, NULL) == FALLGATE_STATUS_OK);
    CHECK(fallgate_engine_drill(empty, drill, sizeof drill - 1, &text, NULL) == FALLGATE_STATUS_NONE && text == NULL);
    fallgate_engine_free(&empty);
    fallgate_engine_free(&engine);
}

/* Does an operation that is to be refused, and looks at its code. */
static void refused(const fallgate_engine *engine, const char *operation, size_t length, const char *code) {
    fallgate_text *outcome = NULL;
    fallgate_error *error = NULL;
    fallgate_status status = fallgate_engine_operate(engine, operation, length, second(1), &outcome, &error);
    if (status != FALLGATE_STATUS_OPERATION_REFUSED || strcmp(fallgate_error_code(error), code) != 0) {
        fprintf(stderr, "%.60s is %s, not %s\n", operation, fallgate_error_code(error), code);
        CHECK(false);
    }
    CHECK(outcome == NULL && strlen(fallgate_error_message(error)) < 600);
    CHECK(fallgate_error_status(error) == status && strcmp(fallgate_error_json(error), "[]") == 0);
    fallgate_error_free(&error);
}

#define REFUSED(literal, code) refused(engine, literal, sizeof(literal) - 1, code)

static void operations(void) {
    const char pack[] = "{\"fallgate\": 1, \"name\": \"test\", \"revision\": 1,"
                        " \"schema\": {\"resource\": {\"doc\": {\"tenant\": {\"type\": \"string\", \"optional\": true}}}},"
                        " \"actions\": {\"read\": {\"class\": \"read\"}, \"write\": {}},"
                        " \"scopes\": {\"tenant\": \"resource.tenant\"},"
                        " \"postures\": [{\"name\": \"shut\", \"rank\": 5, \"permits\": \"none\", \"leave\": {\"dwell\": \"10s\"}}],"
                        " \"rules\": [{\"id\": \"all\", \"effect\": \"allow\"}]}";
    fallgate_engine *engine = NULL;
    fallgate_text *text = NULL;
    fallgate_decision decision;
    CHECK(fallgate_engine_new(FALLGATE_ABI_VERSION, NULL, &engine, NULL) == FALLGATE_STATUS_OK);
    REFUSED("{\"enter_posture\": {\"posture\": \"shut\"}}", "no_policy");
    CHECK(fallgate_engine_posture(engine, NULL, 0, &text) == FALLGATE_STATUS_NONE && text == NULL);
    fallgate_error *error = NULL;
    fallgate_status activated =
        fallgate_engine_activate_document(engine, pack, sizeof pack - 1, UNSIGNED, second(0), &error);
    if (activated != FALLGATE_STATUS_OK) {
        fprintf(stderr, "%s\n", fallgate_error_message(error));
    }
    CHECK(activated == FALLGATE_STATUS_OK);

    CHECK(fallgate_engine_decide_json(engine, READ_JSON, sizeof READ_JSON - 1, second(1), &decision, NULL) == 1);
    CHECK(strcmp(decision.posture, "normal") == 0);
    const char enter[] = "{\"enter_posture\": {\"posture\": \"shut\"}}";
    CHECK(fallgate_engine_operate(engine, enter, sizeof enter - 1, second(1), &text, &error) == FALLGATE_STATUS_OK);
    CHECK(error == NULL && strcmp(fallgate_text_data(text), "{}") == 0);
    fallgate_text_free(&text);
    CHECK(fallgate_engine_posture(engine, NULL, 0, &text) == FALLGATE_STATUS_OK);
    CHECK(strcmp(fallgate_text_data(text), "shut") == 0);
    fallgate_text_free(&text);
    CHECK(fallgate_engine_decide_json(engine, READ_JSON, sizeof READ_JSON - 1, second(1), &decision, NULL) == 0);
    CHECK(decision.reason == FALLGATE_REASON_POSTURE && strcmp(decision.posture, "shut") == 0);
    REFUSED("{\"leave_posture\": {\"posture\": \"shut\"}}", "dwelling");
    REFUSED("{\"enter_posture\": {\"posture\": \"none\"}}", "unknown_posture");
    REFUSED("{\"enter_posture\": {\"posture\": \"shut\", \"scope\": \"region:eu\"}}", "unknown_scope");
    const char leave[] = "{\"leave_posture\": {\"posture\": \"shut\"}}";
    CHECK(fallgate_engine_operate(engine, leave, sizeof leave - 1, second(11), NULL, NULL) == FALLGATE_STATUS_OK);

    const char scoped[] = "{\"enter_posture\": {\"posture\": \"shut\", \"scope\": \"tenant:acme\"}}";
    CHECK(fallgate_engine_operate(engine, scoped, sizeof scoped - 1, second(12), NULL, NULL) == FALLGATE_STATUS_OK);
    const struct {
        const char *scope;
        size_t length;
        const char *posture;
    } places[] = {{NULL, 0, "normal"}, {"", 0, "normal"}, {TEXT("tenant:acme"), "shut"}, {TEXT("tenant:other"), "normal"}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        CHECK(fallgate_engine_posture(engine, places[i].scope, places[i].length, &text) == FALLGATE_STATUS_OK);
        CHECK(strcmp(fallgate_text_data(text), places[i].posture) == 0);
        fallgate_text_free(&text);
    }

    const char unscoped[] = "{\"leave_posture\": {\"posture\": \"shut\", \"scope\": \"tenant:acme\"}}";
    CHECK(fallgate_engine_operate(engine, unscoped, sizeof unscoped - 1, second(22), NULL, NULL) == FALLGATE_STATUS_OK);

    const char quarantine[] = "{\"quarantine\": {\"what\": {\"subject\": {\"type\": \"user\", \"id\": \"ann\"}},"
                              " \"reason\": \"a stolen laptop\", \"for\": \"5s\"}}";
    CHECK(fallgate_engine_operate(engine, quarantine, sizeof quarantine - 1, second(23), &text, NULL) == FALLGATE_STATUS_OK);
    CHECK(strcmp(fallgate_text_data(text), "{\"quarantined\":{\"subject\":{\"id\":\"ann\",\"type\":\"user\"}}}") == 0);
    fallgate_text_free(&text);
    CHECK(fallgate_engine_decide_json(engine, READ_JSON, sizeof READ_JSON - 1, second(27), &decision, NULL) == 0);
    CHECK(decision.reason == FALLGATE_REASON_QUARANTINED);
    CHECK(fallgate_engine_decide_json(engine, READ_JSON, sizeof READ_JSON - 1, second(28), &decision, NULL) == 1);

    /* What is no operation does nothing, whatever it looks like. */
    const struct {
        const char *text;
        size_t length;
    } none[] = {
        {NULL, 0},
        {"", 0},
        {TEXT("{}")},
        {TEXT("[]")},
        {TEXT("null")},
        {TEXT("{\"open_everything\": {}}")},
        {TEXT("{\"enter_posture\": \"shut\"}")},
        {TEXT("{\"enter_posture\": [\"shut\"]}")},
        {TEXT("{\"enter_posture\": {\"posture\": 5}}")},
        {TEXT("{\"enter_posture\": {\"posture\": \"shut\", \"posture\": \"shut\"}}")},
        {TEXT("{\"enter_posture\": {\"posture\": \"shut\", \"scop\": \"tenant:acme\"}}")},
        {TEXT("{\"enter_posture\": {\"posture\": \"shut\"}} {}")},
        {TEXT("{\"enter_posture\": {\"posture\": \"sh\0ut\"}}")},
        {TEXT("{\"enter_posture\": {\"posture\": \"\xFF\"}}")},
        {TEXT("{\"enter_posture\": {\"posture\": \"\xED\xA0\x80\"}}")},
        {TEXT("{\"enter_posture\": {\"posture\": \"\\ud800\"}}")},
        {TEXT("{\"quarantine\": {\"what\": \"everything\", \"for\": \"-1s\"}}")},
        {enter, SIZE_MAX},
    };
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        refused(engine, none[i].text, none[i].length, "malformed_operation");
    }
    /* Within the limit on an operation, and beyond that on a scope. */
    static char large[1 << 20];
    memset(large, 'x', sizeof large);
    const char before[] = "{\"enter_posture\": {\"posture\": \"shut\", \"scope\": \"tenant:", after[] = "\"}}";
    memcpy(large, before, sizeof before - 1);
    memcpy(large + sizeof large - (sizeof after - 1), after, sizeof after - 1);
    refused(engine, large, sizeof large, "scope_too_long");
    CHECK(fallgate_engine_posture(engine, large, sizeof large, &text) == FALLGATE_STATUS_TOO_LONG && text == NULL);
    CHECK(fallgate_engine_posture(engine, "\xFF", 1, &text) == FALLGATE_STATUS_NOT_UTF8);

    CHECK(fallgate_engine_operate(NULL, enter, sizeof enter - 1, second(29), &text, &error) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(text == NULL && strcmp(fallgate_error_code(error), "null_pointer") == 0);
    fallgate_error_free(&error);
    CHECK(fallgate_engine_operate(engine, NULL, 5, second(29), &text, NULL) == FALLGATE_STATUS_NULL_POINTER);
    fallgate_text **odd_text = (fallgate_text **)(void *)((char *)&text + 1);
    CHECK(fallgate_engine_operate(engine, enter, sizeof enter - 1, second(29), odd_text, NULL) == FALLGATE_STATUS_MISALIGNED);
    const fallgate_now *odd_now = (const fallgate_now *)(const void *)((const char *)second(29) + 1);
    CHECK(fallgate_engine_operate(engine, enter, sizeof enter - 1, odd_now, &text, NULL) == FALLGATE_STATUS_MISALIGNED);
    CHECK(fallgate_engine_operate((const fallgate_engine *)(const void *)large, enter, sizeof enter - 1, second(29), &text,
                                  NULL) != FALLGATE_STATUS_OK);
    CHECK(fallgate_engine_posture(NULL, NULL, 0, &text) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_posture(engine, NULL, 3, &text) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_posture(engine, NULL, 0, NULL) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_posture(engine, NULL, 0, odd_text) == FALLGATE_STATUS_MISALIGNED);
    CHECK(strcmp(fallgate_error_code(NULL), "internal_error") == 0);
    CHECK(fallgate_engine_overview(NULL, second(29), &text) == FALLGATE_STATUS_NULL_POINTER && text == NULL);
    CHECK(fallgate_engine_overview(engine, odd_now, &text) == FALLGATE_STATUS_MISALIGNED);
    CHECK(fallgate_engine_overview(engine, second(29), NULL) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_engine_overview(engine, second(29), odd_text) == FALLGATE_STATUS_MISALIGNED);
    CHECK(fallgate_engine_overview(engine, second(29), &text) == FALLGATE_STATUS_OK);
    CHECK(strcmp(fallgate_text_data(text), "{\"feeds\":[],\"flags\":[],\"former_bundles\":[],\"guards\":[],\"overrides\":[],\"posture\":\"normal\",\"proposals\":[],"
                                           "\"rollout\":null,\"scopes\":{}}") == 0);
    fallgate_text_free(&text);
    /* Nothing of all that entered anything. */
    CHECK(fallgate_engine_posture(engine, NULL, 0, &text) == FALLGATE_STATUS_OK);
    CHECK(strcmp(fallgate_text_data(text), "normal") == 0);
    fallgate_text_free(&text);
    /* With the library's own clocks. */
    fallgate_engine *other = engine_at(NULL);
    const char everything[] = "{\"quarantine\": {\"what\": \"everything\"}}";
    CHECK(fallgate_engine_operate(other, everything, sizeof everything - 1, NULL, NULL, NULL) == FALLGATE_STATUS_OK);
    CHECK(fallgate_engine_decide_json(other, READ_JSON, sizeof READ_JSON - 1, NULL, &decision, NULL) == 0);
    CHECK(decision.reason == FALLGATE_REASON_QUARANTINED);
    fallgate_engine_free(&other);
    fallgate_engine_free(&engine);
}

static void authzen(void) {
    fallgate_engine *engine = engine_at(second(0));
    fallgate_text *text = NULL;
    const char one[] = "/access/v1/evaluation", many[] = "/access/v1/evaluations";
    CHECK(fallgate_engine_authzen(engine, one, sizeof one - 1, TEXT(READ_JSON), second(1), &text) == 200);
    CHECK(strstr(fallgate_text_data(text), "\"decision\":true") != NULL);
    fallgate_text_free(&text);
    /* Defaults for all, and one item that asks for what the pack does not have. */
    const char batch[] = "{\"subject\": {\"type\": \"user\", \"id\": \"ann\", \"properties\": {\"level\": 3}},"
                         " \"action\": {\"name\": \"read\"}, \"resource\": {\"type\": \"doc\", \"id\": \"1\"},"
                         " \"evaluations\": [{}, {\"action\": {\"name\": \"none\"}}]}";
    CHECK(fallgate_engine_authzen(engine, many, sizeof many - 1, batch, sizeof batch - 1, second(1), &text) == 200);
    CHECK(strstr(fallgate_text_data(text), "\"decision\":true") != NULL);
    CHECK(strstr(fallgate_text_data(text), "unknown_action") != NULL);
    fallgate_text_free(&text);
    CHECK(fallgate_engine_authzen(engine, one, sizeof one - 1, "{", 1, second(1), &text) == 400);
    fallgate_text_free(&text);
    CHECK(fallgate_engine_authzen(engine, one, sizeof one - 1, NULL, 0, second(1), &text) == 400);
    fallgate_text_free(&text);
    CHECK(fallgate_engine_authzen(engine, one, sizeof one - 1, READ_JSON, SIZE_MAX, second(1), &text) == 413);
    fallgate_text_free(&text);
    const struct {
        const char *path;
        size_t length;
    } nowhere[] = {{"/", 1}, {NULL, 0}, {NULL, 4}, {one, SIZE_MAX}, {"\xFF", 1}, {one, sizeof one}};
    for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
        CHECK(fallgate_engine_authzen(engine, nowhere[i].path, nowhere[i].length, "{", 1, second(1), &text) == 404);
        CHECK(text != NULL && fallgate_text_free(&text) == FALLGATE_STATUS_OK);
    }
    CHECK(fallgate_engine_authzen(engine, one, sizeof one - 1, NULL, 3, second(1), &text) == 0 && text == NULL);
    CHECK(fallgate_engine_authzen(NULL, one, sizeof one - 1, "{", 1, second(1), &text) == 0 && text == NULL);
    CHECK(fallgate_engine_authzen(engine, one, sizeof one - 1, "{", 1, second(1), NULL) == 0);
    fallgate_engine_free(&engine);

    CHECK(fallgate_authzen_metadata(TEXT("https://pdp.example.com"), &text) == FALLGATE_STATUS_OK);
    CHECK(strstr(fallgate_text_data(text), "https://pdp.example.com/access/v1/evaluations") != NULL);
    fallgate_text_free(&text);
    CHECK(fallgate_authzen_metadata(TEXT("ftp://pdp"), &text) == FALLGATE_STATUS_INVALID_VALUE && text == NULL);
    CHECK(fallgate_authzen_metadata("", 0, &text) == FALLGATE_STATUS_INVALID_VALUE);
    CHECK(fallgate_authzen_metadata(NULL, 1, &text) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_authzen_metadata("x", SIZE_MAX, &text) == FALLGATE_STATUS_TOO_LONG);
    CHECK(fallgate_authzen_metadata("\xFF", 1, &text) == FALLGATE_STATUS_NOT_UTF8);
    CHECK(fallgate_authzen_metadata("x", 1, NULL) == FALLGATE_STATUS_NULL_POINTER);
}

static void handles(void) {
    fallgate_engine *engine = engine_at(second(0));
    fallgate_details *details = NULL;
    CHECK(fallgate_details_new(NULL, NULL) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_details_new(&details, NULL) == FALLGATE_STATUS_OK);
    CHECK(fallgate_details_json(details, NULL, 0) == 0 && fallgate_details_json(NULL, NULL, 0) == 0);
    CHECK(fallgate_details_obligations(NULL, NULL, 0) == 0 && fallgate_details_detail(NULL, NULL, 0) == 0);
    CHECK(fallgate_details_degraded(NULL, 0, NULL, 0) == 0 && fallgate_details_message(NULL, 0, NULL, 0) == 0);

    /* A handle of another kind, memory that is none, and a misaligned address. */
    fallgate_engine *wrong = (fallgate_engine *)(void *)details;
    CHECK(fallgate_engine_advance(wrong, second(1)) == FALLGATE_STATUS_BAD_HANDLE);
    CHECK(fallgate_engine_free(&wrong) == FALLGATE_STATUS_BAD_HANDLE && wrong != NULL);
    CHECK(fallgate_details_json((const fallgate_details *)(const void *)engine, NULL, 0) == 0);
    uint64_t zeros[64] = {0};
    fallgate_engine *zeroed = (fallgate_engine *)(void *)zeros;
    CHECK(fallgate_engine_advance(zeroed, second(1)) == FALLGATE_STATUS_BAD_HANDLE);
    fallgate_engine *odd = (fallgate_engine *)(void *)((char *)engine + 1);
    CHECK(fallgate_engine_advance(odd, second(1)) == FALLGATE_STATUS_MISALIGNED);
    CHECK(fallgate_engine_free(&odd) == FALLGATE_STATUS_MISALIGNED);
    fallgate_decision decision;
    CHECK(fallgate_engine_decide_json(zeroed, READ_JSON, sizeof READ_JSON - 1, second(1), &decision, NULL) == 0);
    CHECK(decision.status == FALLGATE_STATUS_BAD_HANDLE && decision.effect == FALLGATE_EFFECT_DENY);

    /* Freeing by the same variable twice is nothing. */
    CHECK(fallgate_details_free(NULL) == FALLGATE_STATUS_NULL_POINTER && fallgate_engine_free(NULL) == FALLGATE_STATUS_NULL_POINTER);
    CHECK(fallgate_details_free(&details) == FALLGATE_STATUS_OK && details == NULL);
    CHECK(fallgate_details_free(&details) == FALLGATE_STATUS_OK);
    CHECK(fallgate_engine_free(&engine) == FALLGATE_STATUS_OK && engine == NULL);
    CHECK(fallgate_engine_free(&engine) == FALLGATE_STATUS_OK);
    CHECK(fallgate_engine_new(FALLGATE_ABI_VERSION, NULL, NULL, NULL) == FALLGATE_STATUS_NULL_POINTER);
}

/* A copy of a freed handle is found out while the memory still shows it: with this allocator at once. No sanitizer is to
 * see this, since it is what a sanitizer is for. */
static void freed_handles(void) {
    fallgate_engine *engine = engine_at(second(0)), *copy = engine;
    CHECK(fallgate_engine_free(&engine) == FALLGATE_STATUS_OK);
    CHECK(fallgate_engine_advance(copy, second(1)) == FALLGATE_STATUS_BAD_HANDLE);
    CHECK(fallgate_engine_free(&copy) == FALLGATE_STATUS_BAD_HANDLE);
    fallgate_decision decision;
    CHECK(fallgate_engine_decide_json(copy, READ_JSON, sizeof READ_JSON - 1, second(1), &decision, NULL) == 0);
    CHECK(decision.status == FALLGATE_STATUS_BAD_HANDLE);
}

int main(int argc, char **argv) {
    zero_is_safe();
    versions();
    configurations();
    decisions();
    hostile_values();
    hostile_requests();
    small_stack();
    bundles();
    signals();
    texts();
    operations();
    authzen();
    handles();
    if (argc > 1 && strcmp(argv[1], "freed") == 0) {
        freed_handles();
    }
    puts("the face is as its header says");
    return 0;
}
