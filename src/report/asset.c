#include "report/asset.h"

#include <stdlib.h>
#include <zlib.h>

tc_status tc_asset_write(const tc_asset *asset, FILE *out, tc_error *error) {
    tc_status status = TC_OK;
    unsigned char *text = NULL;
    uLongf size = (uLongf)asset->size;
    TC_TRY(tc_new(&text, asset->size + 1, 1, error));
    if (uncompress(text, &size, asset->bytes, (uLong)asset->packed) != Z_OK || size != asset->size)
        TC_RAISE(TC_FAILED, "report: the program's own page parts are damaged; install it again");
    fwrite(text, 1, size, out); /* tc_output_commit sees what the disk says */
done:
    free(text);
    return status;
}
