// The header as C++17 sees it: enumerations with a type, results that must be looked at, owners that throw and free.
#include <fallgate.hpp>

#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

static_assert(std::is_trivially_copyable_v<fallgate_decision>);
static_assert(std::is_standard_layout_v<fallgate_decision>);
static_assert(FALLGATE_EFFECT_DENY == 0 && FALLGATE_STATUS_OK != 0);
static_assert(std::is_same_v<std::underlying_type_t<fallgate_effect>, uint32_t>);

namespace {

constexpr std::string_view pack =
    R"({"fallgate": 1, "name": "test", "revision": 1, "actions": {"read": {}}, "rules": [{"id": "all", "effect": "allow"}]})";
constexpr std::string_view request =
    R"({"subject": {"type": "user", "id": "ann"}, "action": {"name": "read"}, "resource": {"type": "doc", "id": "1"}})";

bool check(bool condition, const char *what) {
    if (!condition) {
        std::fprintf(stderr, "not so: %s\n", what);
    }
    return condition;
}

}  // namespace

int main() {
    bool good = check(fallgate_decision{}.effect == FALLGATE_EFFECT_DENY, "a decision from nothing is a deny");
    fallgate::Engine engine;
    good &= check(engine.decide(request).reason == FALLGATE_REASON_NO_POLICY, "no bundle, no allow");
    engine.activate_document(pack, FALLGATE_TRUST_UNSIGNED_FOR_DEVELOPMENT);

    std::vector<std::thread> threads;
    std::vector<int> allowed(8, 0);
    for (int &count : allowed) {
        threads.emplace_back([&engine, &count] {
            fallgate::Details details;
            for (int i = 0; i < 200; i++) {
                bool allow = engine.decide(request, nullptr, &details).effect == FALLGATE_EFFECT_ALLOW;
                count += allow && details.json().find("\"rule\":\"all\"") != std::string::npos;
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    for (int count : allowed) {
        good &= check(count == 200, "every decision allows and has its particulars");
    }
    try {
        engine.activate_bundle(pack, FALLGATE_TRUST_UNSIGNED_FOR_DEVELOPMENT);
        good = check(false, "bytes that are not canonical are refused");
    } catch (const fallgate::Error &error) {
        good &= check(error.status == FALLGATE_STATUS_NOT_CANONICAL, "refused for their form");
    }
    good &= check(engine.operate(R"({"quarantine": {"what": "everything"}})") == R"({"quarantined":"everything"})",
                  "a quarantine begins");
    good &= check(engine.decide(request).reason == FALLGATE_REASON_QUARANTINED, "what is quarantined is denied");
    good &= check(engine.operate(R"({"lift_quarantine": "everything"})") == "{}", "a quarantine ends");
    try {
        engine.operate(R"({"lift_quarantine": "everything"})");
        good = check(false, "what is not quarantined is not lifted");
    } catch (const fallgate::Error &error) {
        good &= check(error.status == FALLGATE_STATUS_OPERATION_REFUSED && error.code == "not_quarantined", "the code");
    }
    good &= check(engine.posture() == "normal" && fallgate::Engine().posture().empty(), "the posture");
    good &= check(engine.trust_version() == 0, "no root is held");
    for (int call = 0; call < 2; call++) {
        try {
            call == 0 ? engine.activate_signed("{}") : static_cast<void>(engine.rotate_trust("{}"));
            good = check(false, "nothing is believed for its signature without a root");
        } catch (const fallgate::Error &error) {
            good &= check(error.status == FALLGATE_STATUS_UNTRUSTED, "refused for want of a root");
        }
    }
    fallgate::Engine moved = std::move(engine);
    good &= check(moved.decide(request).effect == FALLGATE_EFFECT_ALLOW, "an engine moves");
    good &= check(engine.decide(request).status == FALLGATE_STATUS_NULL_POINTER, "what is left behind denies");
    std::puts(good ? "the face is as its header says, in C++" : "the face is not as its header says");
    return good ? 0 : 1;
}
