// fallgate.h: Fallgate for C11 and C++17. A policy decision point that a program links, and that fails closed.
//
// Made from bindings/c/src by `make generate`; changes belong there.
//
// What holds for every function, where its own words do not say otherwise:
//
// - Deny is zero. FALLGATE_EFFECT_DENY is 0, a zeroed fallgate_decision is a deny, and whatever fails is one.
// - Success is not zero. A fallgate_status is compared with FALLGATE_STATUS_OK; zero is FALLGATE_STATUS_INTERNAL_ERROR.
// - Handles (fallgate_engine, fallgate_details, fallgate_text, fallgate_error) are opaque. Each has one function that makes
//   it and one that frees it, which takes the address of the caller's variable and sets it to NULL. A handle of another
//   kind, a misaligned one and, while the memory still shows it, a freed one is FALLGATE_STATUS_BAD_HANDLE or _MISALIGNED.
// - Texts come in as a pointer and a length in bytes, need no NUL at their end, and are read during the call only. Length 0
//   is an empty text, whatever the pointer. What goes out ends with a NUL, which no length counts.
// - Structs and arrays that are passed in are read during the call only. Out-parameters are written, never read; where a
//   call fails a handle there is NULL. None may overlap another argument.
// - A pointer that is not NULL must lead to memory that is there: that alone the library cannot look at.
// - No panic leaves a function and no thread is started. Engines share nothing. One small record is kept for each thread
//   that decides, and another thread takes it over when that one ends: a library that was loaded stays loaded.
