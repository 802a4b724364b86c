/* unpack.c — a .tar.gz from a stranger, by libarchive, into a folder of its own.
 *
 * Nothing but files and folders is made, every name must lie below the one folder that is expected and may not climb
 * out of it, and bytes are counted as they come, not as a header claims. Since no link is ever made, none can lead
 * outside. The folder is made under a temporary name and gets its own only when the archive was read to its end. */
#include "data/fetch/fetch.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ENTRIES = 10000 };

typedef struct unpacking {
    struct archive *archive;
    const char *path, *name; /* of the archive; of the folder in it */
    const char *to;          /* where the folder's contents go */
    uint64_t left;           /* bytes that may still come */
    const tc_fetch_hooks *hooks;
} unpacking;

static tc_status damaged(const unpacking *u, tc_error *error) {
    const char *reason = archive_error_string(u->archive);
    return tc_raise(error, TC_INVALID, "%s: not a whole archive (%s); fetch it again", u->path,
                    reason ? reason : "unknown error");
}

static tc_status copy(unpacking *u, const char *to, FILE *out, tc_error *error) {
    static const size_t block = 1 << 16;
    tc_status status = TC_OK;
    char *bytes = NULL;
    TC_TRY(tc_new(&bytes, 1, block, error));
    for (;;) {
        const la_ssize_t got = archive_read_data(u->archive, bytes, block);
        if (got == 0) break;
        if (got < 0) TC_TRY(damaged(u, error));
        if ((uint64_t)got > u->left)
            TC_RAISE(TC_INVALID, "%s: holds more than it should; fetch it from elsewhere with --from", u->path);
        u->left -= (uint64_t)got;
        if (fwrite(bytes, 1, (size_t)got, out) != (size_t)got)
            TC_RAISE(TC_FAILED, "%s: cannot be written: %s; free space or choose another place with --out", to,
                     strerror(errno));
        if (u->hooks && u->hooks->stop && u->hooks->stop(u->hooks->context))
            TC_RAISE(TC_INTERRUPTED, "%s: interrupted while unpacking; run it again", u->path);
    }
done:
    free(bytes);
    return status;
}

static tc_status take_file(unpacking *u, const char *name, tc_error *error) {
    tc_status status = TC_OK;
    char to[TC_PATH_SIZE], parent[TC_PATH_SIZE];
    FILE *out = NULL;
    TC_TRY(tc_path_format(to, error, "%s/%s", u->to, name));
    TC_TRY(tc_path_format(parent, error, "%s", to));
    *strrchr(parent, '/') = 0;
    TC_TRY(tc_folder_make(parent, error));
    out = fopen(to, "wbxe");
    if (!out) TC_RAISE(TC_FAILED, "%s: cannot be written: %s; choose another place with --out", to, strerror(errno));
    TC_TRY(copy(u, to, out, error));
    if (fflush(out))
        TC_RAISE(TC_FAILED, "%s: cannot be written: %s; free space or choose another place with --out", to,
                 strerror(errno));
done:
    if (out) fclose(out);
    return status;
}

/* The part of an entry's name below the expected folder; NULL: it lies elsewhere, or tries to. */
static const char *inner_name(const unpacking *u, const char *name) {
    const size_t length = strlen(u->name);
    if (name && !strncmp(name, "./", 2)) name += 2;
    if (!name || strncmp(name, u->name, length) || (name[length] && name[length] != '/')) return NULL;
    const char *inner = name + length;
    while (*inner == '/') inner++;
    for (const char *part = inner; part; part = strchr(part, '/')) {
        while (*part == '/') part++;
        if (part[0] == '.' && part[1] == '.' && (!part[2] || part[2] == '/')) return NULL;
    }
    return inner;
}

static tc_status take_entry(unpacking *u, struct archive_entry *entry, tc_error *error) {
    const char *name = archive_entry_pathname(entry), *inner = inner_name(u, name);
    const bool folder = archive_entry_filetype(entry) == AE_IFDIR, file = archive_entry_filetype(entry) == AE_IFREG;
    if (!inner)
        return tc_raise(error, TC_INVALID, "%s: holds '%.100s', which is not below %s/; fetch it from elsewhere",
                        u->path, name ? name : "", u->name);
    if ((!folder && !file) || archive_entry_hardlink(entry) || (file && !*inner))
        return tc_raise(error, TC_INVALID, "%s: holds '%.100s', which is neither file nor folder; fetch it elsewhere",
                        u->path, name);
    return file ? take_file(u, inner, error) : TC_OK;
}

static tc_status take_all(unpacking *u, tc_error *error) {
    tc_status status = TC_OK;
    for (int entries = 0;; entries++) {
        struct archive_entry *entry;
        const int code = archive_read_next_header(u->archive, &entry);
        if (code == ARCHIVE_EOF && entries) break;
        if (code != ARCHIVE_OK) TC_TRY(damaged(u, error));
        if (entries == MOST_ENTRIES)
            TC_RAISE(TC_INVALID, "%s: more than %d files; fetch it from elsewhere", u->path, MOST_ENTRIES);
        TC_TRY(take_entry(u, entry, error));
    }
done:
    return status;
}

tc_status tc_unpack(const char *archive, const char *folder, const char *name, uint64_t limit,
                    const tc_fetch_hooks *hooks, tc_error *error) {
    tc_status status = TC_OK;
    char path[TC_PATH_SIZE];
    tc_folder_output output = {.temporary = ""};
    unpacking u = {.path = archive, .name = name, .to = output.temporary, .left = limit, .hooks = hooks};
    TC_TRY(tc_path_format(path, error, "%s/%s", folder, name));
    TC_TRY(tc_folder_output_open(path, NULL, &output, error));
    u.archive = archive_read_new();
    if (!u.archive) TC_RAISE(TC_FAILED, "%s: no memory for reading it; free some", archive);
    archive_read_support_filter_gzip(u.archive);
    archive_read_support_format_tar(u.archive);
    if (archive_read_open_filename(u.archive, archive, 1 << 17) != ARCHIVE_OK) TC_TRY(damaged(&u, error));
    TC_TRY(take_all(&u, error));
    TC_TRY(tc_folder_output_commit(&output, error));
done:
    archive_read_free(u.archive);
    tc_folder_output_abandon(&output);
    return status;
}
