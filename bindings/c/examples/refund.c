/* A payment service that asks before it refunds: the whole way of a C host, from a pack to an enforced decision.
 *
 *     cc -std=c11 refund.c $(pkg-config --cflags --libs fallgate) -o refund && ./refund
 */
#include <fallgate.h>
#include <stdio.h>
#include <string.h>

/* What `fallgate build` makes of a pack's folder; here as text, so that the example stands alone. */
static const char pack[] =
    "{\"fallgate\": 1, \"name\": \"payments\", \"revision\": 1,"
    " \"schema\": {\"subject\": {\"user\": {\"roles\": [\"string\"], \"refund_limit\": \"int\"}},"
    "              \"resource\": {\"payment\": {\"amount\": \"int\"}}},"
    " \"signals\": {\"idp\": {\"ttl\": \"10s\"}},"
    " \"actions\": {\"payment:refund\": {\"requires\": [\"idp\"]}},"
    " \"rules\": [{\"id\": \"agents-refund-within-their-limit\", \"effect\": \"allow\", \"action\": \"payment:refund\","
    "            \"subject\": {\"type\": \"user\", \"roles\": \"agent\"}, \"resource\": {\"type\": \"payment\"},"
    "            \"when\": \"resource.amount <= subject.refund_limit\","
    "            \"obligations\": [{\"id\": \"notify\", \"type\": \"notification\","
    "                             \"properties\": {\"to\": \"risk-desk\"}}]}]}";

static int failed(const char *what, fallgate_status status, fallgate_error *error) {
    fprintf(stderr, "%s: %s: %s\n", what, fallgate_status_code(status), fallgate_error_message(error));
    fallgate_error_free(&error);
    return 1;
}

/* Asks, and does what goes with the answer. A host that cannot fulfil an obligation must not act on an allow. */
static bool may_refund(const fallgate_engine *engine, fallgate_details *details, int64_t amount) {
    const fallgate_value roles[] = {{FALLGATE_VALUE_TEXT, {.text = FALLGATE_STR("agent")}}};
    const fallgate_attribute subject[] = {
        {FALLGATE_STR("roles"), {FALLGATE_VALUE_LIST, {.list = FALLGATE_ARRAY(roles)}}},
        {FALLGATE_STR("refund_limit"), {FALLGATE_VALUE_INT, {.integer = 500}}},
    };
    const fallgate_attribute resource[] = {
        {FALLGATE_STR("amount"), {FALLGATE_VALUE_INT, {.integer = amount}}},
    };
    const fallgate_request request = {
        .subject = {FALLGATE_STR("user"), FALLGATE_STR("alice"), FALLGATE_ARRAY(subject)},
        .action = {.name = FALLGATE_STR("payment:refund")},
        .resource = {FALLGATE_STR("payment"), FALLGATE_STR("p-17"), FALLGATE_ARRAY(resource)},
    };
    fallgate_decision decision = {0};
    if (fallgate_engine_decide(engine, &request, NULL, &decision, details) != FALLGATE_EFFECT_ALLOW) {
        printf("%lld: denied, %s\n", (long long)amount, decision.reason_code);
        return false;
    }
    if (decision.obligations > 0) {
        char obligations[1024];
        size_t needed = fallgate_details_obligations(details, obligations, sizeof obligations);
        /* A real host parses them and fulfils each; this one knows how to notify, and nothing else. */
        if (needed >= sizeof obligations || decision.obligations != 1 ||
            strstr(obligations, "\"type\":\"notification\"") == NULL) {
            printf("%lld: denied, an obligation cannot be fulfilled\n", (long long)amount);
            return false;
        }
        printf("%lld: notified the risk desk\n", (long long)amount);
    }
    printf("%lld: allowed by %s\n", (long long)amount, decision.rule);
    return true;
}

int main(void) {
    fallgate_engine *engine = NULL;
    fallgate_error *error = NULL;
    fallgate_status status = fallgate_engine_new(FALLGATE_ABI_VERSION, NULL, &engine, &error);
    if (status != FALLGATE_STATUS_OK) {
        return failed("no engine", status, error);
    }
    status = fallgate_engine_activate_document(engine, pack, sizeof pack - 1, FALLGATE_TRUST_UNSIGNED_FOR_DEVELOPMENT,
                                               NULL, &error);
    if (status != FALLGATE_STATUS_OK) {
        fallgate_engine_free(&engine);
        return failed("no bundle", status, error);
    }
    fallgate_details *details = NULL;
    status = fallgate_details_new(&details, &error);
    if (status != FALLGATE_STATUS_OK) {
        fallgate_engine_free(&engine);
        return failed("no details", status, error);
    }

    /* The engine knows nothing of the identity provider yet, so it denies; then it hears that all is well. */
    bool before = may_refund(engine, details, 120);
    status = fallgate_engine_observe(engine, "idp", 3, FALLGATE_SIGNAL_OK, NULL, NULL);
    bool within = status == FALLGATE_STATUS_OK && may_refund(engine, details, 120);
    bool beyond = may_refund(engine, details, 900);

    fallgate_details_free(&details);
    fallgate_engine_free(&engine);
    return !before && within && !beyond ? 0 : 1;
}
