// fallgate.hpp: fallgate.h for C++17, with owners that free what they hold. Nothing here decides or keeps anything.
#ifndef FALLGATE_HPP
#define FALLGATE_HPP

#include <fallgate.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace fallgate {

// Frees a handle of any kind.
struct Free {
    void operator()(fallgate_engine *engine) const noexcept { fallgate_engine_free(&engine); }
    void operator()(fallgate_details *details) const noexcept { fallgate_details_free(&details); }
    void operator()(fallgate_text *text) const noexcept { fallgate_text_free(&text); }
    void operator()(fallgate_error *error) const noexcept { fallgate_error_free(&error); }
};

// A call that failed: what() is the message, `status` its number, `code` its stable code. Decisions never throw it.
struct Error : std::runtime_error {
    Error(fallgate_status status_, const char *code_, const char *message)
        : std::runtime_error(message), status(status_), code(code_) {}

    fallgate_status status;
    std::string code;

    // Throws what a call reported; takes the error over.
    static void check(fallgate_status status, fallgate_error *error = nullptr) {
        std::unique_ptr<fallgate_error, Free> owned(error);
        if (status != FALLGATE_STATUS_OK) {
            const char *text = fallgate_status_code(status);
            throw Error(status, owned ? fallgate_error_code(owned.get()) : text,
                        owned ? fallgate_error_message(owned.get()) : text);
        }
    }
};

// A text as the library takes it. It must outlive the call that it is passed to, and not longer.
inline fallgate_str str(std::string_view text) noexcept { return {text.data(), text.size()}; }

// A place for the particulars of a decision: one for each thread.
class Details {
  public:
    Details() {
        fallgate_details *details = nullptr;
        fallgate_error *error = nullptr;
        fallgate_status status = fallgate_details_new(&details, &error);
        Error::check(status, error);
        handle_.reset(details);
    }

    // The whole decision as the JSON of an AuthZEN evaluation response.
    std::string json() const { return fetched(fallgate_details_json); }
    // What the host has to do along with it, as a JSON array.
    std::string obligations() const { return fetched(fallgate_details_obligations); }

    fallgate_details *get() const noexcept { return handle_.get(); }

  private:
    std::string fetched(size_t (*fetch)(const fallgate_details *, char *, size_t)) const {
        std::string text(fetch(get(), nullptr, 0), '\0');
        // One byte behind the text is the string's own NUL, and the library writes just that there.
        text.resize(fetch(get(), text.data(), text.size() + 1));
        return text;
    }

    std::unique_ptr<fallgate_details, Free> handle_;
};

// An engine. Its const functions may be called by any number of threads at once.
class Engine {
  public:
    explicit Engine(const fallgate_config *config = nullptr) {
        fallgate_engine *engine = nullptr;
        fallgate_error *error = nullptr;
        fallgate_status status = fallgate_engine_new(FALLGATE_ABI_VERSION, config, &engine, &error);
        Error::check(status, error);
        handle_.reset(engine);
    }

    void activate_bundle(std::string_view bundle, uint32_t trust, const fallgate_now *now = nullptr) const {
        fallgate_error *error = nullptr;
        fallgate_status status =
            fallgate_engine_activate_bundle(get(), bundle.data(), bundle.size(), trust, now, &error);
        Error::check(status, error);
    }

    void activate_document(std::string_view document, uint32_t trust, const fallgate_now *now = nullptr) const {
        fallgate_error *error = nullptr;
        fallgate_status status =
            fallgate_engine_activate_document(get(), document.data(), document.size(), trust, now, &error);
        Error::check(status, error);
    }

    // Makes a signed bundle the active one, by the engine's trust root; throws where it is refused, with the code.
    void activate_signed(std::string_view envelope, const fallgate_now *now = nullptr) const {
        fallgate_error *error = nullptr;
        fallgate_status status =
            fallgate_engine_activate_signed(get(), envelope.data(), envelope.size(), now, &error);
        Error::check(status, error);
    }

    // Takes a new trust root, and gives its version; throws where it is refused, with the code.
    uint64_t rotate_trust(std::string_view envelope, const fallgate_now *now = nullptr) const {
        uint64_t version = 0;
        fallgate_error *error = nullptr;
        fallgate_status status =
            fallgate_engine_rotate_trust(get(), envelope.data(), envelope.size(), now, &version, &error);
        Error::check(status, error);
        return version;
    }

    // The version of the trust root that the engine holds; 0 where it holds none.
    [[nodiscard]] uint64_t trust_version() const noexcept {
        uint64_t version = 0;
        return fallgate_engine_trust_version(get(), &version) == FALLGATE_STATUS_OK ? version : 0;
    }

    // Gives what became of the observation; one that is not taken is an answer and no exception.
    [[nodiscard]] fallgate_status observe(std::string_view signal, fallgate_signal_status status,
                                          const fallgate_now *now = nullptr) const noexcept {
        return fallgate_engine_observe(get(), signal.data(), signal.size(), status, nullptr, now);
    }

    // Does an operation, as JSON, and gives what it came to, as JSON; throws where it was not done, with the code.
    std::string operate(std::string_view operation, const fallgate_now *now = nullptr) const {
        fallgate_text *outcome = nullptr;
        fallgate_error *error = nullptr;
        fallgate_status status =
            fallgate_engine_operate(get(), operation.data(), operation.size(), now, &outcome, &error);
        std::unique_ptr<fallgate_text, Free> owned(outcome);
        Error::check(status, error);
        return {fallgate_text_data(outcome), fallgate_text_length(outcome)};
    }

    // The posture that is in force, everywhere or in a scope; empty where no bundle is active.
    [[nodiscard]] std::string posture(std::string_view scope = {}) const {
        fallgate_text *posture = nullptr;
        fallgate_status status = fallgate_engine_posture(get(), scope.data(), scope.size(), &posture);
        std::unique_ptr<fallgate_text, Free> owned(posture);
        if (status == FALLGATE_STATUS_NONE) {
            return {};
        }
        Error::check(status);
        return {fallgate_text_data(posture), fallgate_text_length(posture)};
    }

    [[nodiscard]] fallgate_decision decide(const fallgate_request &request, const fallgate_now *now = nullptr,
                                           const Details *details = nullptr) const noexcept {
        fallgate_decision decision{};
        fallgate_effect effect =
            fallgate_engine_decide(get(), &request, now, &decision, details ? details->get() : nullptr);
        decision.effect = effect;
        return decision;
    }

    [[nodiscard]] fallgate_decision decide(std::string_view json, const fallgate_now *now = nullptr,
                                           const Details *details = nullptr) const noexcept {
        fallgate_decision decision{};
        fallgate_effect effect = fallgate_engine_decide_json(get(), json.data(), json.size(), now, &decision,
                                                             details ? details->get() : nullptr);
        decision.effect = effect;
        return decision;
    }

    fallgate_engine *get() const noexcept { return handle_.get(); }

  private:
    std::unique_ptr<fallgate_engine, Free> handle_;
};

}  // namespace fallgate

#endif  // FALLGATE_HPP
