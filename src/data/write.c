/* write.c — a data set in another format: into a temporary place, then renamed. */
#include "base/file.h"
#include "base/option.h"
#include "data/reader.h"

#include <string.h>

static const struct {
    const char *name;
    tc_writer *write;
    bool folder; /* else one file, which the writer itself renames */
} formats[] = {
    {"npz", tc_write_npz, false},          {"images", tc_write_images, true}, {"cifar10", tc_write_cifar10, true},
    {"cifar100", tc_write_cifar100, true}, {"idx", tc_write_idx, true},
};
enum { FORMATS = sizeof formats / sizeof *formats };

tc_status tc_dataset_write(const tc_dataset *dataset, const char *format, const char *path, tc_error *error) {
    tc_status status = TC_OK;
    const char *names[FORMATS + 1] = {NULL};
    tc_folder_output output = {.temporary = ""};
    int row = 0;
    for (; row < FORMATS; row++) {
        names[row] = formats[row].name;
        if (!strcmp(names[row], format)) break;
    }
    if (row == FORMATS) {
        const char *near = tc_nearest(format, names);
        if (near) TC_RAISE(TC_INVALID, "format '%s': not known; did you mean %s?", format, near);
        TC_RAISE(TC_INVALID, "format '%s': not known; use npz, images, cifar10, cifar100 or idx", format);
    }
    if (!formats[row].folder) return formats[row].write(dataset, path, error);
    TC_TRY(tc_folder_output_open(path, NULL, &output, error));
    TC_TRY(formats[row].write(dataset, output.temporary, error));
    TC_TRY(tc_folder_output_commit(&output, error));
done:
    tc_folder_output_abandon(&output);
    return status;
}
