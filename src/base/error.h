/* error.h — raising errors inside the library.
 *
 * The habit everywhere: functions return tc_status, take `tc_error *error` last, and leave through one `done:` label
 * that frees what they own.
 *
 *     tc_status status = TC_OK;
 *     TC_TRY(read_header(file, &header, error));
 *     if (header.rows > TC_MAX_ROWS) TC_RAISE(TC_INVALID, "%s: %u rows; ...", path, header.rows);
 * done:
 *     fclose(file);
 *     return status;
 */
#ifndef TC_BASE_ERROR_H
#define TC_BASE_ERROR_H

#include "tocsin/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef tocsin_status tc_status;
typedef tocsin_error tc_error;

#define TC_OK          TOCSIN_OK
#define TC_FAILED      TOCSIN_FAILED
#define TC_INVALID     TOCSIN_INVALID
#define TC_INTERRUPTED TOCSIN_INTERRUPTED

/* Writes the message (printf style) and returns `status`, so that a leaf can `return tc_raise(...)`. */
__attribute__((format(printf, 3, 4))) tc_status tc_raise(tc_error *error, tc_status status, const char *format, ...);

/* The same for a computation that came to nothing by itself: it diverged, or left nothing to go on with. Neither the
 * machine nor the input is at fault, so others of its kind may do better; tc_fruitless tells whether the last error
 * that this thread raised was such a one. */
__attribute__((format(printf, 3, 4))) tc_status tc_raise_fruitless(tc_error *error, tc_status status,
                                                                   const char *format, ...);
bool tc_fruitless(void);
/* What this thread raised before is no longer asked about: something new begins. */
void tc_fruitless_forget(void);

/* Puts "WHERE: " in front of the message that `error` already holds; returns its status. */
tc_status tc_error_at(tc_error *error, const char *where);

/* Both need a local `tc_status status`, a parameter `tc_error *error` and a label `done`. */
#define TC_TRY(call)                                                                                                   \
    do {                                                                                                               \
        status = (call);                                                                                               \
        if (status != TC_OK) goto done;                                                                                \
    } while (0)
#define TC_RAISE(code, ...)                                                                                            \
    do {                                                                                                               \
        status = (code); /* said here, so that whoever reads or analyses a function sees that it fails */              \
        tc_raise(error, status, __VA_ARGS__);                                                                          \
        goto done;                                                                                                     \
    } while (0)
#define TC_RAISE_FRUITLESS(code, ...)                                                                                  \
    do {                                                                                                               \
        status = (code);                                                                                               \
        tc_raise_fruitless(error, status, __VA_ARGS__);                                                                \
        goto done;                                                                                                     \
    } while (0)

/* calloc that raises: *pointer is NULL on failure. count * size is checked for overflow. */
tc_status tc_new(void *pointer, size_t count, size_t size, tc_error *error);

#endif
