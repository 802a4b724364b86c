/* npz_file.c — several .npy in a zip archive, read and written through libarchive. */
#include "base/file.h"
#include "data/npy.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No array may be larger once unpacked: a few kilobytes of zip can ask for any amount of memory. */
static const size_t inflated_limit = (size_t)1 << 36;

static const char *reason(struct archive *zip) {
    const char *text = archive_error_string(zip);
    return text ? text : "unknown error";
}

static tc_status damaged(const char *path, struct archive *zip, tc_error *error) {
    return tc_raise(error, TC_INVALID, "%s: not a whole .npz (%s); save it again", path, reason(zip));
}

/* Grows with what is there, not with what the zip's directory claims. */
static tc_status read_entry(struct archive *zip, const char *path, uint8_t **bytes, size_t *size, tc_error *error) {
    size_t capacity = 1 << 16, used = 0;
    uint8_t *buffer = malloc(capacity);
    while (buffer) {
        const la_ssize_t got = archive_read_data(zip, buffer + used, capacity - used);
        if (got < 0) {
            free(buffer);
            return damaged(path, zip, error);
        }
        if (got == 0) break;
        used += (size_t)got;
        if (used < capacity) continue;
        if (used > inflated_limit) {
            free(buffer);
            return tc_raise(error, TC_INVALID, "%s: an array of more than %zu bytes; split it", path, inflated_limit);
        }
        capacity *= 2;
        uint8_t *larger = realloc(buffer, capacity);
        if (!larger) free(buffer);
        buffer = larger;
    }
    if (!buffer) return tc_raise(error, TC_FAILED, "%s: no memory for %zu bytes; free some", path, capacity);
    *bytes = buffer;
    *size = used;
    return TC_OK;
}

/* The last entry's array. Text, objects and the like are for others: what is wrong with one is kept for who wants it.
 */
static tc_status parse(const char *path, const uint8_t *bytes, size_t size, tc_npz *npz, tc_error *error) {
    char where[TC_PATH_SIZE + TC_NPZ_NAME];
    tc_error why = {.message = ""};
    const int last = npz->count - 1;
    snprintf(where, sizeof where, "%s: %s", path, npz->entry[last].name);
    const tc_status status = tc_npy_parse(bytes, size, where, &npz->entry[last].array, &why);
    if (status == TC_INVALID) npz->entry[last].unread = strdup(why.message);
    if (status == TC_OK || npz->entry[last].unread) return TC_OK;
    return tc_raise(error, status == TC_INVALID ? TC_FAILED : status, "%s", why.message);
}

static tc_status take_entry(struct archive *zip, struct archive_entry *entry, const char *path, tc_npz *npz,
                            tc_error *error) {
    const char *name = archive_entry_pathname(entry);
    const size_t length = name ? strlen(name) : 0;
    if (length < 5 || length - 4 >= TC_NPZ_NAME || strcmp(name + length - 4, ".npy"))
        return tc_raise(error, TC_INVALID, "%s: holds '%.100s', which is no array; save it with numpy.savez", path,
                        name ? name : "");
    if (npz->count == TC_NPZ_ARRAYS)
        return tc_raise(error, TC_INVALID, "%s: more than %d arrays; keep those that are needed", path, TC_NPZ_ARRAYS);
    tc_status status = TC_OK;
    uint8_t *bytes = NULL;
    size_t size = 0;
    TC_TRY(read_entry(zip, path, &bytes, &size, error));
    memcpy(npz->entry[npz->count].name, name, length - 4);
    npz->entry[npz->count++].name[length - 4] = 0;
    TC_TRY(parse(path, bytes, size, npz, error));
done:
    free(bytes);
    return status;
}

static void empty(tc_npz *npz) {
    for (int i = 0; i < npz->count; i++) {
        tc_npy_free(&npz->entry[i].array);
        free(npz->entry[i].unread);
    }
    npz->count = 0;
}

tc_status tc_npz_read(const char *path, tc_npz *npz, tc_error *error) {
    if (!tc_file_exists(path)) return tc_raise(error, TC_INVALID, "%s: there is no such file; check the path", path);
    tc_status status = TC_OK;
    memset(npz, 0, sizeof *npz);
    struct archive *zip = archive_read_new();
    if (!zip) TC_RAISE(TC_FAILED, "%s: no memory for reading it; free some", path);
    /* By the directory at the end, as NumPy does: a file cut off in transit has none and is refused at once. */
    archive_read_support_format_zip_seekable(zip);
    if (archive_read_open_filename(zip, path, 1 << 17) != ARCHIVE_OK) TC_TRY(damaged(path, zip, error));
    for (;;) {
        struct archive_entry *entry;
        const int code = archive_read_next_header(zip, &entry);
        if (code == ARCHIVE_EOF) break;
        if (code != ARCHIVE_OK) TC_TRY(damaged(path, zip, error));
        TC_TRY(take_entry(zip, entry, path, npz, error));
    }
done:
    archive_read_free(zip);
    if (status != TC_OK) empty(npz);
    return status;
}

void tc_npz_free(tc_npz *npz) {
    if (!npz) return;
    empty(npz);
    free(npz);
}

static int place_of(const tc_npz *npz, const char *name) {
    for (int i = 0; i < npz->count; i++)
        if (!strcmp(npz->entry[i].name, name)) return i;
    return -1;
}

bool tc_npz_has(const tc_npz *npz, const char *name) {
    return place_of(npz, name) >= 0;
}

tc_npy *tc_npz_find(tc_npz *npz, const char *name) {
    const int place = place_of(npz, name);
    return place < 0 || npz->entry[place].unread ? NULL : &npz->entry[place].array;
}

tc_status tc_npz_want(tc_npz *npz, const char *path, const char *name, int low, int high, tc_npy **array,
                      tc_error *error) {
    const int place = place_of(npz, name);
    *array = tc_npz_find(npz, name);
    if (place >= 0 && !*array) return tc_raise(error, TC_INVALID, "%s", npz->entry[place].unread);
    if (!*array) return tc_raise(error, TC_INVALID, "%s: no array '%s' in it; save it under that name", path, name);
    if ((*array)->rank >= low && (*array)->rank <= high) return TC_OK;
    return tc_raise(error, TC_INVALID, "%s: '%s' has %d dimensions instead of %d; reshape it", path, name,
                    (*array)->rank, high);
}

/* ---- writing ---- */

void tc_npz_add(tc_npz *npz, const char *name, tc_npy array) {
    if (npz->count == TC_NPZ_ARRAYS) abort(); /* the program's own lists are short */
    snprintf(npz->entry[npz->count].name, TC_NPZ_NAME, "%s", name);
    npz->entry[npz->count++].array = array;
}

/* libarchive takes at most 2 GiB at once. */
static bool write_all(struct archive *zip, const void *bytes, size_t size) {
    const char *at = bytes;
    while (size) {
        const la_ssize_t wrote = archive_write_data(zip, at, size);
        if (wrote <= 0) return false;
        at += wrote;
        size -= (size_t)wrote;
    }
    return true;
}

static tc_status write_entry(struct archive *zip, const char *path, const char *name, const tc_npy *array,
                             tc_error *error) {
    uint8_t header[TC_NPY_HEADER];
    size_t size;
    char file[TC_NPZ_NAME + 8];
    tc_npy_header(array, header, &size);
    const size_t bytes = array->count * tc_npy_element(array->type);
    snprintf(file, sizeof file, "%s.npy", name);
    struct archive_entry *entry = archive_entry_new();
    if (!entry) return tc_raise(error, TC_FAILED, "%s: no memory for writing it; free some", path);
    archive_entry_set_pathname(entry, file);
    archive_entry_set_size(entry, (la_int64_t)(size + bytes));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_mtime(entry, 315532800, 0); /* 1980, zip's first day: the same arrays make the same file */
    const bool written = archive_write_header(zip, entry) == ARCHIVE_OK && write_all(zip, header, size) &&
                         write_all(zip, array->data, bytes) && archive_write_finish_entry(zip) == ARCHIVE_OK;
    archive_entry_free(entry);
    if (written) return TC_OK;
    return tc_raise(error, TC_FAILED, "%s: cannot be written: %s; free space or choose another place", path,
                    reason(zip));
}

tc_status tc_npz_write(const char *path, const tc_npz *npz, tc_error *error) {
    tc_output output;
    tc_status status = tc_output_open(path, &output, error);
    if (status != TC_OK) return status;
    struct archive *zip = archive_write_new();
    if (!zip) TC_RAISE(TC_FAILED, "%s: no memory for writing it; free some", path);
    archive_write_set_format_zip(zip);
    archive_write_zip_set_compression_store(zip);
    archive_write_set_bytes_in_last_block(zip, 1); /* no padding behind the directory */
    if (archive_write_open_FILE(zip, output.file) != ARCHIVE_OK)
        TC_RAISE(TC_FAILED, "%s: cannot be written: %s; choose another place", path, reason(zip));
    for (int i = 0; i < npz->count; i++)
        TC_TRY(write_entry(zip, path, npz->entry[i].name, &npz->entry[i].array, error));
    if (archive_write_close(zip) != ARCHIVE_OK)
        TC_RAISE(TC_FAILED, "%s: cannot be written: %s; free space or choose another place", path, reason(zip));
    status = tc_output_commit(&output, error);
done:
    archive_write_free(zip);
    tc_output_abandon(&output);
    return status;
}
