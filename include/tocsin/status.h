/* status.h — how every call that can fail reports it.
 *
 * A function that can fail returns a tocsin_status and takes a tocsin_error as its last argument. On anything but
 * TOCSIN_OK the error holds one line that a person can act on: WHERE: WHAT; WHAT TO DO. The caller owns the
 * tocsin_error; NULL is allowed where only the status matters. */
#ifndef TOCSIN_STATUS_H
#define TOCSIN_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TOCSIN_API __attribute__((visibility("default")))
#else
#define TOCSIN_API
#endif

/* The values are the program's exit statuses. */
typedef enum tocsin_status {
    TOCSIN_OK = 0,
    TOCSIN_FAILED = 1,        /* failed while running: memory, disk, a library */
    TOCSIN_INVALID = 2,       /* what the caller gave is wrong: a file, a spec, an option; nothing was written */
    TOCSIN_INTERRUPTED = 130, /* stopped on request; what was finished is kept */
} tocsin_status;

typedef struct tocsin_error {
    tocsin_status status;
    char message[1024]; /* one line, no trailing newline */
} tocsin_error;

#ifdef __cplusplus
}
#endif
#endif
