/* file.c — reading with a limit, writing by way of a temporary file. Folders, of which this makes use: folder.c. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* ---- reading ---- */

/* A file or an inflater: up to `count` bytes into `to`; 0 at the end, −1 on an error. */
typedef long (*pull)(void *stream, void *to, unsigned count);

static long pull_file(void *stream, void *to, unsigned count) {
    const int file = *(const int *)stream;
    ssize_t got;
    do got = read(file, to, count);
    while (got < 0 && errno == EINTR);
    return (long)got;
}

static long pull_gz(void *stream, void *to, unsigned count) {
    return gzread(stream, to, count);
}

static tc_status cannot_open(const char *path, tc_error *error) {
    const tc_status status = errno == ENOMEM || errno == EMFILE || errno == ENFILE ? TC_FAILED : TC_INVALID;
    return tc_raise(error, status, "%s: cannot be opened: %s; check the path", path, strerror(errno));
}

/* Reads to the end or one byte past the limit, into a buffer that doubles: what a header claims is never allocated. */
static tc_status drain(pull source, void *stream, size_t guess, size_t limit, uint8_t **bytes, size_t *size,
                       const char *path, tc_error *error) {
    const size_t most = limit < SIZE_MAX - 2 ? limit + 1 : SIZE_MAX - 1;
    size_t capacity = guess < most ? guess + 1 : most, used = 0;
    uint8_t *buffer = malloc(capacity + 1);
    while (buffer) {
        const size_t room = capacity - used;
        const long got = source(stream, buffer + used, (unsigned)(room < 1u << 30 ? room : 1u << 30));
        if (got < 0) {
            free(buffer);
            return TC_FAILED; /* the caller knows what kind of stream it is, and says why */
        }
        used += (size_t)got;
        if (got == 0 || used == most) break;
        if (used < capacity) continue;
        capacity = capacity < most / 2 ? 2 * capacity : most;
        uint8_t *larger = realloc(buffer, capacity + 1);
        if (!larger) free(buffer);
        buffer = larger;
    }
    if (!buffer) return tc_raise(error, TC_FAILED, "%s: no memory for %zu bytes; free some", path, capacity);
    if (used > limit) {
        free(buffer);
        return tc_raise(error, TC_INVALID, "%s: holds more than the %zu bytes expected; check the file", path, limit);
    }
    buffer[used] = 0;
    *bytes = buffer;
    *size = used;
    return TC_OK;
}

tc_status tc_file_read(const char *path, size_t limit, uint8_t **bytes, size_t *size, tc_error *error) {
    *bytes = NULL;
    *size = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return cannot_open(path, error);
    struct stat facts = {0};
    if (fstat(file, &facts) == 0 && S_ISDIR(facts.st_mode)) {
        close(file);
        return tc_raise(error, TC_INVALID, "%s: is a folder; name a file", path);
    }
    if (error) error->message[0] = 0;
    errno = 0;
    const size_t guess = facts.st_size > 0 && (uint64_t)facts.st_size < SIZE_MAX ? (size_t)facts.st_size : 4096;
    tc_status status = drain(pull_file, &file, guess, limit, bytes, size, path, error);
    if (status == TC_FAILED && error && !error->message[0])
        status = tc_raise(error, TC_FAILED, "%s: cannot be read: %s; check the disk", path, strerror(errno));
    close(file);
    return status;
}

static tc_status open_gz(const char *path, gzFile *file, tc_error *error) {
    if (tc_folder_exists(path)) return tc_raise(error, TC_INVALID, "%s: is a folder; name a file", path);
    errno = 0;
    *file = gzopen(path, "rbe");
    if (*file) return TC_OK;
    if (!errno) errno = ENOMEM;
    return cannot_open(path, error);
}

/* What zlib has to say after a read; a stream that stops in the middle reads fine and only tells afterwards. */
static tc_status check_gz(gzFile file, const char *path, tc_error *error) {
    int code = Z_OK;
    const char *text = gzerror(file, &code);
    if (code == Z_OK || code == Z_STREAM_END) return TC_OK;
    if (code == Z_ERRNO)
        return tc_raise(error, TC_FAILED, "%s: cannot be read: %s; check the disk", path, strerror(errno));
    return tc_raise(error, code == Z_MEM_ERROR ? TC_FAILED : TC_INVALID,
                    "%s: the gzip data are %s (%s); fetch the file again", path,
                    code == Z_BUF_ERROR ? "cut off" : "damaged", text);
}

tc_status tc_file_read_gz(const char *path, size_t limit, uint8_t **bytes, size_t *size, tc_error *error) {
    *bytes = NULL;
    *size = 0;
    gzFile file = NULL;
    tc_status status = open_gz(path, &file, error);
    if (status != TC_OK) return status;
    gzbuffer(file, 1 << 17);
    status = drain(pull_gz, file, 1 << 16, limit, bytes, size, path, error);
    if (status == TC_OK || status == TC_FAILED) {
        const tc_status stream = check_gz(file, path, error);
        if (stream != TC_OK) status = stream;
    }
    if (status != TC_OK) {
        free(*bytes);
        *bytes = NULL;
    }
    gzclose(file);
    return status;
}

tc_status tc_file_head_gz(const char *path, uint8_t *bytes, size_t capacity, size_t *size, tc_error *error) {
    *size = 0;
    gzFile file = NULL;
    tc_status status = open_gz(path, &file, error);
    if (status != TC_OK) return status;
    const int got = gzread(file, bytes, (unsigned)capacity);
    if (got < 0)
        status = check_gz(file, path, error);
    else
        *size = (size_t)got;
    gzclose(file);
    return status;
}

/* ---- writing ---- */

static tc_status cannot_write(const char *path, int why, tc_error *error) {
    return tc_raise(error, TC_FAILED, "%s: cannot be written: %s; free space or choose another place", path,
                    strerror(why));
}

tc_status tc_output_open(const char *path, tc_output *output, tc_error *error) {
    static atomic_uint made; /* keeps apart two writers of one process; O_EXCL those of two machines */
    tc_status status = TC_OK;
    int file = -1;
    output->file = NULL;
    if (tc_folder_exists(path)) TC_RAISE(TC_INVALID, "%s: is a folder; name a file", path);
    TC_TRY(tc_path_format(output->path, error, "%s", path));
    do {
        TC_TRY(tc_path_format(output->temporary, error, "%s.%ld-%u.tmp", path, (long)getpid(), made++));
        file = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (file < 0 && errno == EEXIST);
    if (file < 0) TC_TRY(cannot_write(path, errno, error));
    output->file = fdopen(file, "wb");
    if (!output->file) {
        const int why = errno;
        close(file);
        unlink(output->temporary);
        TC_TRY(cannot_write(path, why, error));
    }
done:
    return status;
}

/* The rename itself reaches the disk with the folder. A file system that cannot flush one is not an error. */
static void flush_parent(const char *path) {
    char copy[TC_PATH_SIZE];
    snprintf(copy, sizeof copy, "%s", path);
    const int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    fsync(folder);
    close(folder);
}

tc_status tc_output_commit(tc_output *output, tc_error *error) {
    int why = ferror(output->file) ? (errno ? errno : EIO) : 0;
    if (fflush(output->file) && !why) why = errno;
    if (!why && fsync(fileno(output->file)) && errno != EINVAL && errno != EROFS) why = errno;
    if (fclose(output->file) && !why) why = errno;
    output->file = NULL;
    if (!why && rename(output->temporary, output->path)) why = errno;
    if (why) {
        unlink(output->temporary);
        return cannot_write(output->path, why, error);
    }
    flush_parent(output->path);
    return TC_OK;
}

void tc_output_abandon(tc_output *output) {
    if (!output->file) return;
    fclose(output->file);
    output->file = NULL;
    unlink(output->temporary);
}

tc_status tc_file_write(const char *path, const void *bytes, size_t size, tc_error *error) {
    tc_output output;
    const tc_status status = tc_output_open(path, &output, error);
    if (status != TC_OK) return status;
    errno = 0;
    fwrite(bytes, 1, size, output.file);
    return tc_output_commit(&output, error);
}

tc_status tc_file_put(const char *path, const void *bytes, size_t size, tc_error *error) {
    FILE *file = fopen(path, "wbe");
    if (!file) return cannot_write(path, errno, error);
    int why = 0;
    if (fwrite(bytes, 1, size, file) != size) why = errno;
    if (fclose(file) && !why) why = errno;
    if (!why) return TC_OK;
    unlink(path);
    return cannot_write(path, why, error);
}
