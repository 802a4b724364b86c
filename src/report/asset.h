/* asset.h — what a report carries inside it so that it needs nothing else: the files of page/ and Vega, put into the
 * program by page/bundle.py. */
#ifndef TC_REPORT_ASSET_H
#define TC_REPORT_ASSET_H

#include "base/error.h"

#include <stdio.h>

typedef struct tc_asset {
    const unsigned char *bytes; /* [packed], deflated */
    size_t packed, size;        /* size: inflated; 0: was not there when the program was built */
} tc_asset;

extern const tc_asset tc_asset_style, tc_asset_charts, tc_asset_vega;

tc_status tc_asset_write(const tc_asset *asset, FILE *out, tc_error *error);

#endif
