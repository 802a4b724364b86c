/* svhn_missing.c — stands in for svhn.c where the program is built without libmatio. */
#include "data/reader.h"

tc_status tc_read_svhn(const char *path, const tc_dataset_options *options, tc_dataset *dataset, tc_error *error) {
    (void)options;
    (void)dataset;
    return tc_raise(error, TC_INVALID, "svhn:%.200s: built without libmatio; install it and build again", path);
}
