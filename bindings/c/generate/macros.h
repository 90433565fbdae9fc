// Marks a function whose result must be looked at.
#if defined(__cplusplus) && __cplusplus >= 201703L
#define FALLGATE_MUST_USE [[nodiscard]]
#elif defined(__GNUC__)
#define FALLGATE_MUST_USE __attribute__((warn_unused_result))
#else
#define FALLGATE_MUST_USE
#endif

// The initialiser of a fallgate_str from a literal.
#define FALLGATE_STR(literal) { (literal), sizeof(literal) - 1 }

// The initialiser of a fallgate_attributes, a fallgate_map or a fallgate_list from an array; not from a pointer.
#define FALLGATE_ARRAY(array) { (array), sizeof(array) / sizeof((array)[0]) }
