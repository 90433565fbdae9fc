// The same service as refund.c, in C++17 with fallgate.hpp.
//
//     c++ -std=c++17 refund.cpp $(pkg-config --cflags --libs fallgate) -o refund && ./refund
#include <fallgate.hpp>

#include <array>
#include <cstdio>
#include <string>

namespace {

constexpr std::string_view pack = R"({
    "fallgate": 1, "name": "payments", "revision": 1,
    "schema": {"subject": {"user": {"refund_limit": "int"}}, "resource": {"payment": {"amount": "int"}}},
    "signals": {"idp": {"ttl": "10s"}},
    "actions": {"payment:refund": {"requires": ["idp"]}},
    "rules": [{"id": "people-refund-within-their-limit", "effect": "allow", "action": "payment:refund",
               "when": "resource.amount <= subject.refund_limit"}]})";

fallgate_attribute whole_number(std::string_view name, int64_t number) {
    fallgate_attribute attribute{};
    attribute.name = fallgate::str(name);
    attribute.value.kind = FALLGATE_VALUE_INT;
    attribute.value.of.integer = number;
    return attribute;
}

fallgate_decision ask(const fallgate::Engine &engine, fallgate::Details &details, int64_t amount) {
    std::array<fallgate_attribute, 1> subject{whole_number("refund_limit", 500)};
    std::array<fallgate_attribute, 1> resource{whole_number("amount", amount)};
    fallgate_request request{};
    request.subject = {fallgate::str("user"), fallgate::str("alice"), {subject.data(), subject.size()}};
    request.action.name = fallgate::str("payment:refund");
    request.resource = {fallgate::str("payment"), fallgate::str("p-17"), {resource.data(), resource.size()}};
    fallgate_decision decision = engine.decide(request, nullptr, &details);
    std::printf("%lld: %s\n", static_cast<long long>(amount), details.json().c_str());
    return decision;
}

}  // namespace

int main() try {
    fallgate::Engine engine;
    fallgate::Details details;
    engine.activate_document(pack, FALLGATE_TRUST_UNSIGNED_FOR_DEVELOPMENT);

    bool before = ask(engine, details, 120).effect == FALLGATE_EFFECT_ALLOW;
    bool heard = engine.observe("idp", FALLGATE_SIGNAL_OK) == FALLGATE_STATUS_OK;
    bool within = ask(engine, details, 120).effect == FALLGATE_EFFECT_ALLOW;
    bool beyond = ask(engine, details, 900).effect == FALLGATE_EFFECT_ALLOW;

    // A pack with a mistake is an exception that names the place and the repair.
    bool refused = false;
    try {
        engine.activate_document(R"({"fallgate": 1, "name": "payments", "revison": 2})",
                                 FALLGATE_TRUST_UNSIGNED_FOR_DEVELOPMENT);
    } catch (const fallgate::Error &error) {
        std::printf("refused: %s\n", error.what());
        refused = error.status == FALLGATE_STATUS_UNKNOWN_FIELD;
    }
    return heard && !before && within && !beyond && refused ? 0 : 1;
} catch (const fallgate::Error &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
