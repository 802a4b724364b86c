/* class_names.c — the names of the classes: kept, or read from and written to a text with one a line. */
#include "base/file.h"
#include "data/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

tc_status tc_name_classes(tc_dataset *dataset, tc_error *error) {
    free(dataset->class_names);
    return tc_new(&dataset->class_names, (size_t)dataset->classes, sizeof *dataset->class_names, error);
}

void tc_set_class_name(tc_dataset *dataset, int class, const char *name) {
    char *to = dataset->class_names[class];
    size_t length = 0;
    for (; name[length] && length < TC_CLASS_NAME - 1; length++) /* control characters would break lines and tables */
        to[length] = (unsigned char)name[length] < ' ' || name[length] == 127 ? '_' : name[length];
    while (length && name[length] && ((unsigned char)name[length] & 0xC0) == 0x80) length--; /* not within a letter */
    to[length] = 0;
}

tc_status tc_complete_class_names(tc_dataset *dataset, tc_error *error) {
    const tc_status status = dataset->class_names ? TC_OK : tc_name_classes(dataset, error);
    for (int i = 0; i < dataset->classes && status == TC_OK; i++)
        if (!dataset->class_names[i][0]) snprintf(dataset->class_names[i], TC_CLASS_NAME, "%d", i);
    return status;
}

tc_status tc_read_class_names(const char *path, tc_dataset *dataset, tc_error *error) {
    if (!tc_file_exists(path)) return TC_OK;
    tc_status status = TC_OK;
    uint8_t *bytes = NULL;
    size_t size;
    char *rest, *text;
    int class = 0;
    TC_TRY(tc_file_read(path, 1 << 20, &bytes, &size, error));
    TC_TRY(tc_name_classes(dataset, error));
    text = (char *)bytes;
    for (char *line = strtok_r(text, "\r\n", &rest); line && class < dataset->classes;
         line = strtok_r(NULL, "\r\n", &rest))
        tc_set_class_name(dataset, class ++, line);
done:
    free(bytes);
    return status;
}

tc_status tc_write_class_names(const tc_dataset *dataset, const char *folder, const char *name, tc_error *error) {
    char path[TC_PATH_SIZE];
    tc_output output;
    tc_status status = tc_path_format(path, error, "%s/%s", folder, name);
    if (status == TC_OK) status = tc_output_open(path, &output, error);
    if (status != TC_OK) return status;
    for (int i = 0; i < dataset->classes; i++) fprintf(output.file, "%s\n", dataset->class_names[i]);
    return tc_output_commit(&output, error);
}
