/* What a decision costs through C. Reads a document, a moment and requests as lines (tests/script.h), then answers each
 * `agree NAME` with a digit for each request, 1 for allow, and each `round NAME` with the nanoseconds of one call: the mean
 * over a walk through all requests. benches/decide.rs drives it. */
#include "script.h"

#include <time.h>

static double nanoseconds(void) {
    struct timespec time;
    CHECK(timespec_get(&time, TIME_UTC) == TIME_UTC);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

int main(void) {
    enum { WALKS = 8 };
    fallgate_engine *engine = NULL;
    fallgate_now now = {0, 0};
    CHECK(fallgate_engine_new(FALLGATE_ABI_VERSION, NULL, &engine, NULL) == FALLGATE_STATUS_OK);
    CHECK(read_line() && sscanf(line, "at %" SCNu64 " %" SCNd64, &now.monotonic_ns, &now.wall_ns) == 2);
    fallgate_str document = read_text();
    CHECK(fallgate_engine_activate_document(engine, document.data, document.length, UNSIGNED, &now, NULL) ==
          FALLGATE_STATUS_OK);
    CHECK(read_line());
    size_t count = number_behind(line);
    fallgate_str *texts = block(count * sizeof *texts);
    fallgate_request *requests = block(count * sizeof *requests);
    for (size_t i = 0; i < count; i++) {
        texts[i] = read_text();
        requests[i] = read_request();
    }
    while (read_line()) {
        fallgate_decision decision;
        if (is("agree arrays") || is("agree JSON")) {
            bool arrays = is("agree arrays");
            for (size_t i = 0; i < count; i++) {
                fallgate_effect effect =
                    arrays ? fallgate_engine_decide(engine, &requests[i], &now, &decision, NULL)
                           : fallgate_engine_decide_json(engine, texts[i].data, texts[i].length, &now, &decision, NULL);
                putchar(effect == FALLGATE_EFFECT_ALLOW ? '1' : '0');
            }
            putchar('\n');
            fflush(stdout);
            continue;
        }
        size_t allowed = 0;
        double start = nanoseconds();
        for (size_t walk = 0; walk < WALKS; walk++) {
            for (size_t i = 0; i < count; i++) {
                if (is("round arrays")) {
                    allowed += fallgate_engine_decide(engine, &requests[i], &now, &decision, NULL);
                } else if (is("round JSON")) {
                    allowed += fallgate_engine_decide_json(engine, texts[i].data, texts[i].length, &now, &decision, NULL);
                } else {
                    /* The floor: a call that does nothing. */
                    allowed += fallgate_abi_version();
                }
            }
        }
        double spent = nanoseconds() - start;
        printf("%.2f %zu\n", spent / (double)(count * WALKS), allowed / WALKS);
        fflush(stdout);
    }
    free_blocks();
    fallgate_engine_free(&engine);
    return 0;
}
