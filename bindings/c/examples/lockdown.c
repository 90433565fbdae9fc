/* What an operator does in the hour itself: somebody is inside, so the doors of one tenant are shut, and a stolen session is
 * quarantined. Prints what is decided at each step; ends with 1 where a step is not as it should be. */
#include <fallgate.h>
#include <stdio.h>
#include <string.h>

static const char PACK[] =
    "{\"fallgate\": 1, \"name\": \"files\", \"revision\": 1,"
    " \"schema\": {\"resource\": {\"file\": {\"tenant\": \"string\"}}},"
    " \"scopes\": {\"tenant\": \"resource.tenant\"},"
    " \"actions\": {\"file:read\": {\"class\": \"read\"}, \"file:write\": {\"class\": \"write\"}},"
    " \"postures\": [{\"name\": \"read-only\", \"rank\": 1, \"permits\": {\"classes\": [\"read\"]}, \"leave\": {\"dwell\": \"5m\"}}],"
    " \"rules\": [{\"id\": \"people-use-files\", \"effect\": \"allow\", \"subject\": {\"type\": \"user\"}}]}";

/* Seconds after a start of this program's own. */
static fallgate_now at(unsigned seconds) {
    fallgate_now now = {seconds * UINT64_C(1000000000), INT64_C(1767225600000000000) + seconds * INT64_C(1000000000)};
    return now;
}

static bool operate(const fallgate_engine *engine, const char *operation, fallgate_now now, const char *expected) {
    fallgate_text *outcome = NULL;
    fallgate_error *error = NULL;
    fallgate_status status = fallgate_engine_operate(engine, operation, strlen(operation), &now, &outcome, &error);
    const char *came_to = status == FALLGATE_STATUS_OK ? fallgate_text_data(outcome) : fallgate_error_code(error);
    printf("%s -> %s\n", operation, came_to);
    bool good = strcmp(came_to, expected) == 0;
    fallgate_text_free(&outcome);
    fallgate_error_free(&error);
    return good;
}

static bool write_file(const fallgate_engine *engine, fallgate_now now, const char *expected) {
    static const char request[] =
        "{\"subject\": {\"type\": \"user\", \"id\": \"ann\"}, \"action\": {\"name\": \"file:write\"},"
        " \"resource\": {\"type\": \"file\", \"id\": \"f-1\", \"properties\": {\"tenant\": \"acme\"}}}";
    fallgate_decision decision;
    bool allowed = fallgate_engine_decide_json(engine, request, sizeof request - 1, &now, &decision, NULL);
    printf("  a write: %s, %s, in the posture %s\n", allowed ? "allowed" : "denied", decision.reason_code, decision.posture);
    return strcmp(decision.reason_code, expected) == 0;
}

int main(void) {
    fallgate_engine *engine = NULL;
    fallgate_error *error = NULL;
    fallgate_now now = at(0);
    if (fallgate_engine_new(FALLGATE_ABI_VERSION, NULL, &engine, &error) != FALLGATE_STATUS_OK ||
        fallgate_engine_activate_document(engine, PACK, sizeof PACK - 1, FALLGATE_TRUST_UNSIGNED_FOR_DEVELOPMENT, &now,
                                          &error) != FALLGATE_STATUS_OK) {
        fprintf(stderr, "%s: %s\n", fallgate_error_code(error), fallgate_error_message(error));
        fallgate_error_free(&error);
        fallgate_engine_free(&engine);
        return 1;
    }
    bool good = write_file(engine, at(1), "allowed_by_rule");
    good &= operate(engine, "{\"enter_posture\": {\"posture\": \"read-only\", \"scope\": \"tenant:acme\"}}", at(2), "{}");
    good &= write_file(engine, at(3), "posture");
    /* The pack wants five minutes to pass before anybody leaves it. */
    good &= operate(engine, "{\"leave_posture\": {\"posture\": \"read-only\", \"scope\": \"tenant:acme\"}}", at(4), "dwelling");
    good &= operate(engine, "{\"leave_posture\": {\"posture\": \"read-only\", \"scope\": \"tenant:acme\"}}", at(302), "{}");
    good &= operate(engine,
                    "{\"quarantine\": {\"what\": {\"subject\": {\"type\": \"user\", \"id\": \"ann\"}}, \"for\": \"1h\"}}",
                    at(303), "{\"quarantined\":{\"subject\":{\"id\":\"ann\",\"type\":\"user\"}}}");
    good &= write_file(engine, at(304), "quarantined");
    good &= write_file(engine, at(303 + 3600), "allowed_by_rule");
    fallgate_engine_free(&engine);
    return good ? 0 : 1;
}
