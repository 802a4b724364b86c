/* digest.c — the SHA-256 of a file, by nettle. */
#include "data/fetch/fetch.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

tc_status tc_file_sha256(const char *path, char text[TC_SHA256_TEXT], tc_error *error) {
    enum { BLOCK = 1 << 16 };
    tc_status status = TC_OK;
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE], *block = NULL;
    FILE *file = fopen(path, "rbe");
    if (!file) TC_RAISE(TC_FAILED, "%s: cannot be opened: %s; check the path", path, strerror(errno));
    TC_TRY(tc_new(&block, 1, BLOCK, error));
    sha256_init(&context);
    for (size_t got; (got = fread(block, 1, BLOCK, file)) > 0;) sha256_update(&context, got, block);
    if (ferror(file)) TC_RAISE(TC_FAILED, "%s: cannot be read: %s; check the disk", path, strerror(errno));
    sha256_digest(&context, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
done:
    free(block);
    if (file) fclose(file);
    return status;
}
