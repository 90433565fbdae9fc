/* Counts how often one library of a process asks the heap for memory: preloaded, it stands before the C library's own
 * functions and looks at who calls. So what an interpreter allocates for itself is not counted, and what the library inside
 * it allocates is, release build or not.
 *
 *   FALLGATE_COUNTED=part-of-the-library's-path FALLGATE_COUNT=file LD_PRELOAD=counting.so program
 *
 * The count is the file's first eight bytes, in the machine's order, and grows as the program runs: a program reads it before
 * and after what it measures. For the C library of GNU. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static _Atomic uint64_t *count;
static const char *counted;
/* Where the library's code lies; zero until it is loaded. */
static _Atomic uintptr_t low, high;

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("FALLGATE_COUNT");
    counted = getenv("FALLGATE_COUNTED");
    int opened = file == NULL ? -1 : open(file, O_RDWR | O_CREAT, 0600);
    if (counted == NULL || opened < 0 || ftruncate(opened, sizeof *count) != 0) {
        fprintf(stderr, "counting: FALLGATE_COUNTED and FALLGATE_COUNT say what is counted, and where\n");
        _exit(127);
    }
    void *mapped = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, opened, 0);
    close(opened);
    if (mapped == MAP_FAILED) {
        _exit(127);
    }
    count = mapped;
}

static int look(struct dl_phdr_info *library, size_t size, void *unused) {
    (void)size;
    (void)unused;
    if (library->dlpi_name == NULL || strstr(library->dlpi_name, counted) == NULL) {
        return 0;
    }
    for (size_t i = 0; i < library->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &library->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0) {
            atomic_store(&high, library->dlpi_addr + part->p_vaddr + part->p_memsz);
            atomic_store(&low, library->dlpi_addr + part->p_vaddr);
            return 1;
        }
    }
    return 0;
}

static void note(void *caller) {
    if (count == NULL) {
        return;
    }
    if (atomic_load(&low) == 0) {
        dl_iterate_phdr(look, NULL);
    }
    uintptr_t from = (uintptr_t)caller;
    if (from >= atomic_load(&low) && from < atomic_load(&high)) {
        atomic_fetch_add(count, 1);
    }
}

void *malloc(size_t size) {
    note(__builtin_return_address(0));
    return __libc_malloc(size);
}

void *calloc(size_t items, size_t size) {
    note(__builtin_return_address(0));
    return __libc_calloc(items, size);
}

void *realloc(void *block, size_t size) {
    note(__builtin_return_address(0));
    return __libc_realloc(block, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    note(__builtin_return_address(0));
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    note(__builtin_return_address(0));
    *block = __libc_memalign(alignment, size);
    return *block == NULL ? ENOMEM : 0;
}
