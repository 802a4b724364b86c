/* scratch.h — a folder of its own for a test program to write in, removed with all that is in it.
 *
 * In memory where there is room: whatever is written whole or not at all waits for the disk, and on a slow one most of
 * a test's time goes there. Processes are killed in tests, not machines. TMPDIR decides otherwise (as in
 * cli/harness.sh). */
#ifndef TC_TESTS_SCRATCH_H
#define TC_TESTS_SCRATCH_H

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { SCRATCH_ROOM = 512 << 20 }; /* bytes that must be free for a disk in memory to do */

static char folder[256];

static inline const char *scratch_base(void) {
    struct statvfs disk;
    const char *chosen = getenv("TMPDIR");
    if (chosen && *chosen && strlen(chosen) < sizeof folder - 32) return chosen;
    if (access("/dev/shm", W_OK) || statvfs("/dev/shm", &disk)) return "/tmp";
    return (double)disk.f_bavail * (double)disk.f_frsize < SCRATCH_ROOM ? "/tmp" : "/dev/shm";
}

/* For cmocka's groups, which take any other number than 0 for a failure. */
static inline int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "%s/tocsin-test-XXXXXX", scratch_base());
    return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_folder(void **state) {
    (void)state;
    return tc_folder_remove(folder, NULL) == TC_OK ? 0 : -1;
}

#endif
