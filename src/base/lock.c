/* lock.c — one process at a time. flock is given up by the system when its holder dies, however it dies, and
 * works between machines that share a disk. The file says who holds it, for the message, and is left lying. */
#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static tc_status lock_path(const char *folder, char path[TC_PATH_SIZE], tc_error *error) {
    return tc_path_format(path, error, "%s/run.lock", folder);
}

static tc_status refuse(const char *folder, int file, tc_error *error) {
    char holder[128] = "";
    const ssize_t got = pread(file, holder, sizeof holder - 1, 0);
    holder[got > 0 ? strcspn(holder, "\n") : 0] = '\0';
    return tc_raise(error, TC_INVALID,
                    "--out: %s: another run is at work there%s%s; wait for it, or choose another folder", folder,
                    *holder ? ": " : "", holder);
}

static void sign(int file) {
    char text[128], host[64] = "";
    gethostname(host, sizeof host - 1);
    const int length = snprintf(text, sizeof text, "process %ld on %s\n", (long)getpid(), host);
    if (ftruncate(file, 0) || pwrite(file, text, (size_t)length, 0) < 0) return; /* only the message is poorer */
}

tc_status tc_lock_take(const char *folder, int *lock, tc_error *error) {
    char path[TC_PATH_SIZE];
    const tc_status status = lock_path(folder, path, error);
    if (status != TC_OK) return status;
    const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0)
        return tc_raise(error, TC_FAILED, "%s: cannot be made: %s; choose another folder", path, strerror(errno));
    if (flock(file, LOCK_EX | LOCK_NB)) {
        const tc_status refused =
            errno == EWOULDBLOCK
                ? refuse(folder, file, error)
                : tc_raise(error, TC_FAILED, "%s: cannot be locked: %s; choose a folder on another disk", path,
                           strerror(errno));
        close(file);
        return refused;
    }
    sign(file);
    *lock = file;
    return TC_OK;
}

tc_status tc_lock_check(const char *folder, tc_error *error) {
    char path[TC_PATH_SIZE];
    tc_status status = lock_path(folder, path, error);
    if (status != TC_OK) return status;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return TC_OK;
    if (flock(file, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK) status = refuse(folder, file, error);
    close(file);
    return status;
}
